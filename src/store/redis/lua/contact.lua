-- The contact's hash. Small numbers stand together in fields of at most 64 bytes, so that it stays a listpack:
--   v   schema                      ch  channel              a0 a1 …  aliases in the order learned
--   m   mailbox: last seq, taken seq, start of the burst, when it runs (or its lease ends), lines of the thread so far,
--       entries of the list of ids that were seen
--   l   lease: fence, nonce, leased, takeovers at the claim, crashes, failures, rest until
--   e   the lease that ended last: fence, nonce, how (c, r<at>, p<seq>)
--   o   owner (b, h, p<until>), takeovers
--   s   outbox: when it can be claimed (or its lease ends), sending, fence, fence that ended last, entries,
--       and of the head: attempts, twice the doubts and 1 if uncertain, ready at
--   p   pace: empty at, until       i   the customer's last words
local SCHEMA = '1'
local BLOB = '\1\1'                 -- format and schema, before every value
local function unreadable(key, why) return {-1, key, why} end

-- What m, l and o say; without them, a new contact.
local last, taken, burst, run, lines, seen_n = 0, 0, now, nil, 0, 0
local fence, nonce, leased, claimed_after, crashes, failures, rest = 0, '0', false, 0, 0, 0, nil
local owner, takeovers = 'b', 0
local broken = false                -- a field can't be read
