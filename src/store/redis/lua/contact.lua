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
local function may_speak(who)
  return who == 'b' or (sub(who, 1, 1) == 'p' and tonumber(sub(who, 2)) <= now)
end

-- Sets when the contact is to be answered: after the quiet time, no later than `quiet_max` after the burst began.
local function mark(quiet, quiet_max)
  if leased then return end           -- the end of the lease queues it again
  if run and run <= now then return end -- due already: it keeps its place
  local due
  if run and quiet == 0 then
    due = now
  else
    due = math.max(math.min(math.max(now + quiet, run or 0), burst + quiet_max), now)
  end
  run = math.max(due, rest or due)
end

-- An event at the end of the mailbox, as it is kept.
local function event(payload, quiet, quiet_max)
  if last == taken then burst = now end
  last = last + 1
  mark(quiet, quiet_max)
  return BLOB .. format('%d %d ', last, now) .. payload
end

-- The aliases in the order learned. `f` has the first four from `at` on; those after them are asked for.
local function aliases_of(f, at)
  local aliases, n = {}, 0
  while n < 4 and f[at + n] do
    aliases[n + 1] = f[at + n]
    n = n + 1
  end
  while n >= 4 do
    local more = call('HGET', KEYS[1], 'a' .. n)
    if not more then break end
    aliases[n + 1] = more
    n = n + 1
  end
  return aliases
end
