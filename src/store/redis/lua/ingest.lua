-- Events into one mailbox, once each, and if asked the contact's lease. KEYS contact mailbox seen thread fates run active body
-- ARGV 3 numbers: mailbox cap, seen for, seen ids, thread cap, and of who answers at once: how many events they take, their lease
-- 4 their nonce ('' nobody) 5 channel 6 '' or, if the caller has asked for a tombstone, '-' or its last seq, fence and sender's
-- fence, then for each event: its numbers (said at, quiet, longest quiet, and a sum of 1 if it says when it was said, 2 if it
-- has a line, 4 if it was seen before an erasure), length of its id and that id, payload, line
-- → 1, now, when it runs, then for each event its seq, 0 (seen) or -1 (full), and if the caller has the lease what they answer:
-- fence, owner, failures, channel, session, memory, aliases…
local HOUR = 3600000
local f
if ARGV[4] == '' then f = call('HMGET', KEYS[1], 'v', 'r')
else f = call('HMGET', KEYS[1], 'v', 'r', 's', 'ch', 'a0', 'a1', 'a2', 'a3') end
local r = f[2]
if f[1] and not r then
  local to = call('HGET', KEYS[1], 'to')
  if to then return {4, now, to} end -- it was merged into another
end
--< r
if ARGV[6] == '' and (not f[1] or erased) then return {3, now} end -- there may be a tombstone
if f[1] and f[1] ~= SCHEMA then return unreadable(KEYS[1], 'its schema is ' .. f[1], f[1]) end
if broken then return unreadable(KEYS[1], 'a field of it') end
local mailbox_cap, seen_for, ids, cap, most, lease_for = struct.unpack('>I4I6I4I4I4I6', ARGV[3])
local seen = call('GET', KEYS[3]) or ''
if seen == '' then seen_n = 0 end
local added = ''
local events, new_lines, outcome, heal = {}, {}, {1, now, '-'}, false
local stone
if not f[1] and ARGV[6] ~= '-' then
  stone = {struct.unpack('>I6I6I6', ARGV[6])}
  last, taken = stone[1], stone[1]
end

for i = 7, #ARGV, 4 do
  local at, quiet, quiet_max, is = struct.unpack('>I6I6I6B', ARGV[i])
  local id = ARGV[i + 1]
  local known = is >= 4
  local all = seen .. added
  if not known and string.find(all, id, 1, true) then -- likely, but it may be the end of another, or too old
    local from, n = 1, 0
    while from < #all and not known do
      local when, length = struct.unpack('>I6I2', all, from)
      known = n >= seen_n - ids and when + seen_for > now and sub(all, from + 6, from + 7 + length) == id
      from, n = from + 8 + length, n + 1
    end
    if known and last > taken then
      if not run then
        burst = now
        mark(quiet, quiet_max)
      end
      heal = true
    end
  end
  if known then
    outcome[#outcome + 1] = 0
  elseif last - taken >= mailbox_cap then
    outcome[#outcome + 1] = -1
  else
    added = added .. struct.pack('>I6', now) .. id
    seen_n = seen_n + 1
    -- A provider's clock that runs ahead must not lengthen the window.
    if is % 2 == 1 then said = math.max(math.min(at, now), said or 0) end
    if is % 4 >= 2 then new_lines[#new_lines + 1] = line(ARGV[i + 3]) end
    events[#events + 1] = event(ARGV[i + 2], quiet, quiet_max)
    outcome[#outcome + 1] = last
  end
end

local h, x = KEYS[4], KEYS[5]
--< thread_over
-- Whoever brought the events answers them, if nobody else is at it and nothing waited before. What can't be read is left to
-- a claim, which says so.
local claims = false
if ARGV[4] ~= '' and f[1] and not leased and run and run <= now and #events == last - taken and #events <= most then
  local s = f[3]
--< owner
  local blobs = redis.pcall('HMGET', KEYS[8], 's', 'm')
  local session, memory = blobs[1], blobs[2]
  if not (broken or blobs.err or session and sub(session, 1, 2) ~= BLOB or memory and sub(memory, 1, 2) ~= BLOB) then
    leased, nonce, fence, claimed_after, run = true, ARGV[4], fence + 1, takeovers, now + lease_for
    claims = blobs
  end
end
if #events > 0 or heal then
  call('ZCARD', KEYS[6])
  call('ZCARD', KEYS[7])
end
if #events > 0 then
  call('RPUSH', KEYS[2], unpack(events))
  if seen_n > ids + math.min(ids, 64) then
    local all, from = seen .. added, 1
    for _ = 1, seen_n - ids do
      local _, length = struct.unpack('>I6I2', all, from)
      from = from + 8 + length
    end
    call('SET', KEYS[3], sub(all, from), 'PX', seen_for + HOUR)
  else
    call('APPEND', KEYS[3], added)
    -- An hour more than is needed, so that not every message sets it.
    if call('PTTL', KEYS[3]) < seen_for then call('PEXPIRE', KEYS[3], seen_for + HOUR) end
  end
--< thread_write
end
if #events > 0 or heal then
  if stone then fence, erased = stone[2], true end
--< r_packed
  if f[1] then
    call('HSET', KEYS[1], 'r', r)
  else
    call('HSET', KEYS[1], 'v', SCHEMA, 'ch', ARGV[5], 'r', r)
    if stone then call('HSET', KEYS[1], 's', struct.pack(SENDS, 0, 0, stone[3], 0, 0, 0, 0, 0, 0, 0, 'b', 0, 0)) end
  end
  if run then call('ZADD', KEYS[6], format('%d', run), cid) end
  if #events > 0 then call('ZADD', KEYS[7], format('%d', now), cid) end
end
outcome[3] = leased and '-' or run or '-'
if claims then
  local n, speaks = #outcome, f[3] and sub(f[3], 48, 54) or owner
  outcome[n + 1], outcome[n + 2], outcome[n + 3], outcome[n + 4] = fence, speaks, failures, f[4] or ''
  outcome[n + 5], outcome[n + 6] = claims[1], claims[2]
  local answer, from = outcome, 5
--< aliases
end
return outcome
