-- Takes the head of the outbox for sending. KEYS contact outbox send fates ARGV 3 lease
-- → 1, now, when it sends, claim…
local f = call('HMGET', KEYS[1], 'v', 'o', 's', 'p', 'ch', 'i', 'a0', 'a1', 'a2', 'a3')
if not f[1] then return {1, now, '-'} end
if f[1] ~= SCHEMA or not (owned(f[2]) and outbox(f[3]) and paced(f[4])) then return unreadable(KEYS[1], 'a field of it') end
if not sends.at or sends.at > now then return {1, now, sends.at or '-'} end
call('HLEN', KEYS[4])
call('ZCARD', KEYS[3])
local head, dropped, fates = choose(function(n) return entry(call('LINDEX', KEYS[2], n) or '') end)
if head == false then return unreadable(KEYS[2], 'entry ' .. 0) end
if dropped > 0 then
  call('LTRIM', KEYS[2], dropped, -1)
  call('HSET', KEYS[4], unpack(fates))
  sends.count = sends.count - dropped
end
if head then take(tonumber(ARGV[3])) end
call('HSET', KEYS[1], 's', s_field())
index(KEYS[3])
local answer = {1, now, sends.at or '-'}
if head then claimed(answer, head, f, 5) end
return answer
