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
local function reads(blob) return not blob or sub(blob, 1, 2) == BLOB end

-- Of m. Without any: a new contact.
local last, taken, burst, run, lines, seen_n = 0, 0, now, nil, 0, 0
local function mailbox(m)
  if not m then return true end
  local a, b, c, d, e, g = match(m, '^(%d+) (%d+) (%d+) (%S+) (%d+) (%d+)$')
  if not a then return false end
  last, taken, burst, run, lines, seen_n = tonumber(a), tonumber(b), tonumber(c), tonumber(d), tonumber(e), tonumber(g)
  return true
end
local function m_field()
  if not run then return format('%d %d %d - %d %d', last, taken, burst, lines, seen_n) end
  return format('%d %d %d %d %d %d', last, taken, burst, run, lines, seen_n)
end

-- Of l.
local fence, nonce, leased, claimed_after, crashes, failures, rest = 0, '0', false, 0, 0, 0, nil
local function lease(l)
  if not l then return true end
  local a, b, c, d, e, f, g = match(l, '^(%d+) (%d+) (%d) (%d+) (%d+) (%d+) (%S+)$')
  if not a then return false end
  fence, nonce, leased, claimed_after = tonumber(a), b, c == '1', tonumber(d)
  crashes, failures, rest = tonumber(e), tonumber(f), tonumber(g)
  return true
end
local function l_field()
  return format('%d %s %d %d %d %d ', fence, nonce, leased and 1 or 0, claimed_after, crashes, failures) .. (rest or '-')
end

-- Of o.
local owner, takeovers = 'b', 0
local function owned(o)
  if not o then return true end
  local a, b = match(o, '^(%S+) (%d+)$')
  if not a then return false end
  owner, takeovers = a, tonumber(b)
  return true
end
