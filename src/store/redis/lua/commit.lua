-- One whole turn, and if asked the first send. KEYS contact mailbox body run outbox send thread fates active timers, and jobs if
-- there are any
-- ARGV 3 fence and nonce 4 numbers: upto, quiet, sender's lease (0 none), outbox cap, thread cap, and how many there are of
-- what stands at the end 5 owner ('' as it is) 6… fields of the body to write, to remove, lines, messages (id, sender, not
-- before or '', payload), timers to cancel, to set (at, member), jobs (field, member, at or '', payload)
-- → 1, now, 'd' 'a' 'f' or 't' (too many: how many), when it runs, when it sends, claim…
local f
local upto, quiet, lease_for, most, cap, writes, removes, told, messages, cancels, sets, jobs =
  struct.unpack('>I6I6I6I4I4I4I4I4I4I4I4I4', ARGV[4])
if lease_for == 0 then f = call('HMGET', KEYS[1], 'v', 'r', 's', 'e')
else f = call('HMGET', KEYS[1], 'v', 'r', 's', 'e', 'ch', 'a0', 'a1', 'a2', 'a3') end
if not f[1] then return {1, now, 'f'} end
local r, s = f[2], f[3]
--< r
--< s
if broken or f[1] ~= SCHEMA then return unreadable(KEYS[1], 'a field of it', f[1]) end
local holder = ARGV[3]
local ended = holder .. 'c\0\0\0\0\0\0'
if f[4] == ended then return {1, now, 'a'} end
-- A lease that ran out and that nobody took is still its holder's.
if not leased or sub(r, 33, 46) ~= holder then return {1, now, 'f'} end

-- Reads and checks.
local at = 6
local writes_from, removes_from = at, at + 2 * writes
local told_from = removes_from + removes
local out_from = told_from + told
local cancel_from = out_from + 4 * messages
local set_from = cancel_from + cancels
local jobs_from = set_from + 2 * sets
local known = {}
if sends.count > 0 and messages > 0 then
--< entry
  for _, blob in ipairs(call('LRANGE', KEYS[5], 0, -1)) do
    local one = entry(blob)
    if not one then return unreadable(KEYS[5], 'an entry of it') end
    known[one.id] = true
  end
end
if sends.count > 0 and lease_for > 0 then call('HLEN', KEYS[8]) end
local new_lines, new, fresh = {}, {}, {}
local forgotten = lines - cap         -- what is known of messages whose lines are not in the thread any more is not known
for i = told_from, out_from - 1 do new_lines[#new_lines + 1] = line(ARGV[i]) end
-- What the bot says while people own the chat counts as said before they took it.
local after = claimed_after
local new_owner, new_pause
if ARGV[5] ~= '' then new_owner, new_pause = struct.unpack('>c1I6', ARGV[5]) end
if not (may_speak(owner, paused_until) or new_owner and may_speak(new_owner, new_pause)) then after = after - 1 end
for i = out_from, cancel_from - 1, 4 do
  local id = ARGV[i]
  local record = call('HGET', KEYS[8], id)
  local seq = record and match(record, '^(%d+) ')
  if not (known[id] or seq and seq + 0 > forgotten) then
    known[id] = true
    local sender, wait, payload = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    new_lines[#new_lines + 1] = line(payload, id)
    local ready = wait == '' and now or tonumber(wait)
    local kept = BLOB .. format('%s %d %s%d %d %d ', sender, after, wait == '' and 'r' or 'n', ready, lines, #id) .. id .. payload
    new[#new + 1] = kept
    fresh[#new] = {blob = kept, id = id, line = lines, ready = ready, void = sender == 'b' and after < takeovers}
  end
end
local had = sends.count
if #new > 0 and had + #new > most then return {1, now, 't', had + #new} end
local h, x = KEYS[7], KEYS[8]
--< thread_over
if had > 0 and #new == 0 and lease_for > 0 then call('LLEN', KEYS[5]) end
local eaten = math.min(upto, last) - taken
if eaten > 0 then call('LLEN', KEYS[2]) end
call('ZCARD', KEYS[4])
call('ZCARD', KEYS[9])
if #new > 0 or lease_for > 0 then call('ZCARD', KEYS[6]) end
if cancels > 0 or sets > 0 then call('ZCARD', KEYS[10]) end
if writes > 0 or removes > 0 or jobs > 0 then call('HLEN', KEYS[3]) end
local asked = jobs > 0 and {}
if jobs > 0 then
  call('ZCARD', KEYS[11])
  for i = jobs_from, #ARGV, 4 do
    if not asked[ARGV[i]] and call('HEXISTS', KEYS[3], ARGV[i]) == 0 then asked[ARGV[i]] = i end
  end
end

-- Writes.
if #new > 0 then call('RPUSH', KEYS[5], unpack(new)) end
if removes > 0 then call('HDEL', KEYS[3], unpack(ARGV, removes_from, told_from - 1)) end
if writes > 0 then call('HSET', KEYS[3], unpack(ARGV, writes_from, removes_from - 1)) end
if jobs > 0 then
  for field, i in pairs(asked) do
    call('HSET', KEYS[3], field, ARGV[i + 3])
    call('ZADD', KEYS[11], ARGV[i + 2] == '' and now or ARGV[i + 2], ARGV[i + 1])
  end
end
if eaten > 0 then
  call('LTRIM', KEYS[2], eaten, -1)
  taken = taken + eaten
end
--< thread_write
if cancels > 0 then call('ZREM', KEYS[10], unpack(ARGV, cancel_from, set_from - 1)) end
if sets > 0 then call('ZADD', KEYS[10], unpack(ARGV, set_from, jobs_from - 1)) end
if new_owner and claimed_after == takeovers then owner, paused_until = new_owner, new_pause end
leased, crashes, failures, rest, run = false, 0, 0, nil, nil
if last > taken then burst, run = now, now + quiet end

local claim, was_at = nil, sends.at
sends.count = had + #new
if had == 0 and fresh[1] and not fresh[1].void then -- the only one that can be sent
  claim = fresh[1]
  sends.at = math.max(claim.ready, paced_until, now)
  if sends.at > now then claim = nil end
elseif sends.count > 0 then
--< sending
  if not sends.at then requeue(fresh[1]) end
  if lease_for > 0 and sends.at and sends.at <= now then
    local head, dropped, fates = choose(function(n)
      if n >= had then return fresh[n - had + 1] end
      return entry(call('LINDEX', KEYS[5], n) or '')
    end)
    if head == false then head, dropped = nil, 0 end -- who claims it next says so
    if dropped > 0 then
      call('LTRIM', KEYS[5], dropped, -1)
      call('HSET', KEYS[8], unpack(fates))
      sends.count = sends.count - dropped
    end
    claim = head
  end
end
if claim and lease_for > 0 then
--< take
else
  claim = nil
end
if sends.at ~= was_at then
  local queue = KEYS[6]
--< index
end
--< r_packed
--< s_packed
call('HSET', KEYS[1], 'r', r, 's', s, 'e', ended)
if run then call('ZADD', KEYS[4], format('%d', run), cid) else call('ZREM', KEYS[4], cid) end
call('ZADD', KEYS[9], format('%d', now), cid)
local answer = {1, now, 'd', run or '-', sends.at or '-'}
if claim then
  local head, from = claim, 5
--< claimed
end
return answer
