-- Takes the head of the outbox for sending. KEYS contact outbox send fates ARGV 3 lease
-- → 1, now, when it sends, claim…
local f = call('HMGET', KEYS[1], 'v', 'r', 's', 'ch', 'a0', 'a1', 'a2', 'a3')
if not f[1] then return {1, now, '-'} end
local r, s = f[2], f[3]
--< r
--< s
if broken or f[1] ~= SCHEMA then return unreadable(KEYS[1], 'a field of it', f[1]) end
if not sends.at or sends.at > now then return {1, now, sends.at or '-'} end
call('HLEN', KEYS[4])
local queue = KEYS[3]
call('ZCARD', queue)
local head, dropped, fates = choose(function(n) return entry(call('LINDEX', KEYS[2], n) or '') end)
if head == false then return unreadable(KEYS[2], 'entry ' .. 0) end
if dropped > 0 then
  call('LTRIM', KEYS[2], dropped, -1)
  call('HSET', KEYS[4], unpack(fates))
  sends.count = sends.count - dropped
end
if head then
  local lease_for = tonumber(ARGV[3])
--< take
end
--< s_packed
call('HSET', KEYS[1], 's', s)
--< index
local answer = {1, now, sends.at or '-'}
if head then
  local from = 4
--< claimed
end
return answer
