-- One whole turn, and if asked the first send. KEYS contact mailbox body run outbox send thread fates active timers jobs
-- ARGV 3 fence 4 nonce 5 upto 6 quiet 7 owner ('' as it is) 8 sender's lease ('' none) 9 outbox cap 10 thread cap
-- 11 body fields to write, 12 to remove, 13 lines, 14 messages (id, sender, 'n' or 'r', not before, payload),
-- 15 timers to cancel, 16 to set (member, at), 17 jobs (field, member, at or '', payload): how many of each; then all.
-- → 1, now, 'd' 'a' 'f' or 't' (too many: how many), when it runs, when it sends, jobs' members, claim…
local f
if ARGV[8] == '' then f = call('HMGET', KEYS[1], 'v', 'm', 'l', 'e', 'o', 's', 'p')
else f = call('HMGET', KEYS[1], 'v', 'm', 'l', 'e', 'o', 's', 'p', 'ch', 'i', 'a0', 'a1', 'a2', 'a3') end
if not f[1] then return {1, now, 'f'} end
if f[1] ~= SCHEMA or not (mailbox(f[2]) and lease(f[3]) and owned(f[5]) and outbox(f[6]) and paced(f[7])) then
  return unreadable(KEYS[1], 'a field of it')
end
local holder = ARGV[3] .. ' ' .. ARGV[4]
if f[4] == holder .. ' c' then return {1, now, 'a'} end
-- A lease that ran out and that nobody took is still its holder's.
if not leased or tostring(fence) ~= ARGV[3] or nonce ~= ARGV[4] then return {1, now, 'f'} end

-- Reads and checks.
local at = 18
local function several(n) local from = at; at = at + n; return from, at - 1 end
local writes_from, writes_to = several(2 * ARGV[11])
local removes_from, removes_to = several(tonumber(ARGV[12]))
local lines_from, lines_to = several(tonumber(ARGV[13]))
local out_from, out_to = several(5 * ARGV[14])
local cancel_from, cancel_to = several(tonumber(ARGV[15]))
local set_from, set_to = several(2 * ARGV[16])
local jobs_from, jobs_to = several(4 * ARGV[17])
local new, new_lines, queued, known = {}, {}, {}, {}
if out_to >= out_from then
  local ids = {}
  for i = out_from, out_to, 5 do ids[#ids + 1] = ARGV[i] end
  if sends.count > 0 then
    for _, blob in ipairs(call('LRANGE', KEYS[5], 0, -1)) do
      local one = entry(blob)
      if not one then return unreadable(KEYS[5], 'an entry of it') end
      known[one.id] = true
    end
  else
    call('LLEN', KEYS[5])
  end
  for n, record in ipairs(call('HMGET', KEYS[8], unpack(ids))) do
    if fate(record, tonumber(ARGV[10])) then known[ids[n]] = true end
  end
end
if sends.count > 0 and ARGV[8] ~= '' then
  call('LLEN', KEYS[5])
  call('HLEN', KEYS[8])
end
for i = lines_from, lines_to do new_lines[#new_lines + 1] = line(ARGV[i]) end
-- What the bot says while people own the chat counts as said before they took it.
local after = claimed_after
if not (may_speak(owner) or ARGV[7] ~= '' and may_speak(ARGV[7])) then after = after - 1 end
for i = out_from, out_to, 5 do
  local id = ARGV[i]
  if not known[id] then
    known[id] = true
    new_lines[#new_lines + 1] = line(ARGV[i + 4], id)
    local ready = ARGV[i + 3]
    if ARGV[i + 2] == 'r' then ready = format('%d', now) end
    new[#new + 1] = BLOB .. format('%s %d %s%s %d %d ', ARGV[i + 1], after, ARGV[i + 2], ready, lines, #id) .. id .. ARGV[i + 4]
  end
end
if #new > 0 and sends.count + #new > tonumber(ARGV[9]) then return {1, now, 't', sends.count + #new} end
local over = #new_lines > 0 and too_many(KEYS[7], KEYS[8], #new_lines, tonumber(ARGV[10]))
local asked, body = {}, {}
for i = writes_from, writes_to do body[#body + 1] = ARGV[i] end
for i = jobs_from, jobs_to, 4 do
  if not asked[ARGV[i]] and call('HEXISTS', KEYS[3], ARGV[i]) == 0 then
    asked[ARGV[i]] = i
    body[#body + 1] = ARGV[i]
    body[#body + 1] = ARGV[i + 3]
  end
end
local eaten = math.min(tonumber(ARGV[5]), last) - taken
if eaten > 0 then call('LLEN', KEYS[2]) end
queues(KEYS[4], KEYS[9])
if #new > 0 or ARGV[8] ~= '' then queues(KEYS[6]) end
if cancel_to >= cancel_from or set_to >= set_from then queues(KEYS[10]) end
if next(asked) then queues(KEYS[11]) end
if #body > 0 or removes_to >= removes_from then call('HLEN', KEYS[3]) end

-- Writes.
if removes_to >= removes_from then call('HDEL', KEYS[3], unpack(ARGV, removes_from, removes_to)) end
if #body > 0 then call('HSET', KEYS[3], unpack(body)) end
if eaten > 0 then
  call('LTRIM', KEYS[2], eaten, -1)
  taken = taken + eaten
end
if #new_lines > 0 then write_lines(KEYS[7], KEYS[8], new_lines, over) end
if cancel_to >= cancel_from then call('ZREM', KEYS[10], unpack(ARGV, cancel_from, cancel_to)) end
if set_to >= set_from then call('ZADD', KEYS[10], unpack(ARGV, set_from, set_to)) end
for _, i in pairs(asked) do
  local due = ARGV[i + 2]
  if due == '' then due = now end
  call('ZADD', KEYS[11], due, ARGV[i + 1])
end
if ARGV[7] ~= '' and claimed_after == takeovers then owner = ARGV[7] end
leased, crashes, failures, rest, run = false, 0, 0, nil, nil
if last > taken then burst, run = now, now + tonumber(ARGV[6]) end

local claim, was_at = nil, sends.at
if #new > 0 then
  call('RPUSH', KEYS[5], unpack(new))
  local had = sends.count
  sends.count = had + #new
  if not sends.at then requeue(entry(new[1])) end
end
if ARGV[8] ~= '' and sends.at and sends.at <= now then
  local had = sends.count - #new
  local head, dropped, fates = choose(function(n)
    if n >= had then return new[n - had + 1] end
    return call('LINDEX', KEYS[5], n)
  end)
  if head == false then head, dropped = nil, 0 end -- who claims it next says so
  if dropped > 0 then
    call('LTRIM', KEYS[5], dropped, -1)
    call('HSET', KEYS[8], unpack(fates))
    sends.count = sends.count - dropped
  end
  if head then
    take(tonumber(ARGV[8]))
    claim = head
  end
end
if sends.at ~= was_at then index(KEYS[6]) end
call('HSET', KEYS[1], 'm', m_field(), 'l', l_field(), 'e', holder .. ' c', 'o', owner .. ' ' .. takeovers, 's', s_field())
if run then call('ZADD', KEYS[4], run, cid) else call('ZREM', KEYS[4], cid) end
call('ZADD', KEYS[9], now, cid)
local answer = {1, now, 'd', run or '-', sends.at or '-', claim and claimed(claim, f, 8) or false}
return answer
