-- Timers of one contact that are due become events. KEYS contact mailbox body timers run active
-- ARGV 3… members of the timers' zset, the contact's 16 bytes before each id
-- → 1, now, how many, when it runs
local f = call('HMGET', KEYS[1], 'v', 'r')
local due, payloads, fields = {}, {}, {}
for i = 3, #ARGV do
  local at = call('ZSCORE', KEYS[4], ARGV[i])
  if at and tonumber(at) <= now then
    due[#due + 1] = ARGV[i]
    fields[#fields + 1] = 't' .. sub(ARGV[i], 17)
  end
end
if #due == 0 then return {1, now, 0, '-'} end
if f[1] ~= SCHEMA then return unreadable(KEYS[1], 'its schema is ' .. tostring(f[1]), f[1]) end
if not mailbox(f[2]) then return unreadable(KEYS[1], 'a field of it', f[1]) end
local events = {}
for n, payload in ipairs(call('HMGET', KEYS[3], unpack(fields))) do
  if not payload or not reads(payload) then return unreadable(KEYS[3] .. ' ' .. fields[n], 'its format or schema') end
  events[n] = event(sub(payload, 3), 0, 0)
end
queues(KEYS[5], KEYS[6])
call('RPUSH', KEYS[2], unpack(events))
call('HDEL', KEYS[3], unpack(fields))
call('ZREM', KEYS[4], unpack(due))
call('HSET', KEYS[1], 'r', r_field())
if run then call('ZADD', KEYS[5], run, cid) end
call('ZADD', KEYS[6], now, cid)
return {1, now, #due, leased and '-' or run or '-'}
