-- The contact's hash. Numbers stand together, packed, in fields of at most 64 bytes, so that it stays a listpack:
--   v   schema        ch  channel        a0 a1 …  aliases in the order learned
--   r   TURN: a sum of 1 if it is leased, 2 if it runs, 4 if it rests, 8 if the customer has spoken, 16 if it was erased before;
--       last seq, taken seq, start of the burst, when it runs (or its lease ends), lines of the thread so far, entries of the list
--       of ids that were seen; of the lease: fence, nonce, takeovers at the claim, crashes, failures, rest until; last words
--   s   SENDS: a sum of 1 if the outbox can be claimed or is, 2 if it is, 4 if its head is uncertain, 8 if the head has a time;
--       when it can be claimed (or its lease ends), fence, fence that ended last, entries; of the head: attempts, doubts,
--       ready at; of the pace: empty at, until; owner (b, h, p), until when it is paused, takeovers
--   e   ENDED: the lease that ended last: fence, nonce, how (c, r, p), time of the retry or seq of what was put aside
-- What format 1 had, earlier.lua says.
local SCHEMA = '2'
local TURN, SENDS, ENDED = '>BI6I6I6I6I4I3I6c8I4BBI6I6', '>BI6I6I6I4I4I2I6I6I6c1I6I4', '>I6c8c1I6'
local BLOB = '\1\1'                 -- format and schema, before every value
-- A contact of format 1 is packed first, in a step of its own, and then this one begins again.
local function unreadable(key, why, schema)
  if schema == '1' then return {-2} end
  return {-1, key, why}
end

-- What r and s say; without them, a new contact.
local last, taken, burst, run, lines, seen_n = 0, 0, now, nil, 0, 0
local fence, nonce, leased, claimed_after, crashes, failures, rest = 0, '\0\0\0\0\0\0\0\0', false, 0, 0, 0, nil
local said, erased = nil, false
local owner, paused_until, takeovers = 'b', 0, 0
local broken = false                -- a field can't be read
