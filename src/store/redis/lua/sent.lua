-- What became of a claimed entry, and if asked the next claim. KEYS contact outbox send fates
-- ARGV 3 fence 4 outcome (a accepted, d dead, r retry, n not yet, u uncertain) 5 state 6 the provider's id or ''
-- 7 when to try again 8 lease ('' none) 9 interval and 10 reach of the pace, or ''
-- → 1, now, 1 or 0 (lost), when it sends, claim or false
local f = call('HMGET', KEYS[1], 'v', 'o', 's', 'p')
if not f[1] then return {1, now, 0, '-', false} end
if f[1] ~= SCHEMA or not (owned(f[2]) and outbox(f[3]) and paced(f[4])) then return unreadable(KEYS[1], 'a field of it') end
if tostring(sends.sent) == ARGV[3] then return {1, now, 1, sends.at or '-', false} end
if not sends.sending or tostring(sends.fence) ~= ARGV[3] then return {1, now, 0, '-', false} end
local first = entry(call('LINDEX', KEYS[2], 0) or '')
if not first then return unreadable(KEYS[2], 'entry 0') end
local gone = 0
local fates = {first.id, first.line .. ' -1 ' .. #ARGV[6] .. ' ' .. ARGV[6] .. ' ' .. ARGV[5]}
if ARGV[4] == 'a' or ARGV[4] == 'd' then
  gone = 1
  next_head()
else
  sends.ready = tonumber(ARGV[7])
  if ARGV[4] == 'u' then sends.uncertain, sends.doubts = true, sends.doubts + 1 end
  if ARGV[4] == 'n' then sends.attempts = sends.attempts - 1 end
end
local has_pace = ARGV[9] ~= ''
charge(ARGV[9], ARGV[10])
sends.sending, sends.sent, sends.count = false, sends.fence, sends.count - gone
local head, dropped = nil, 0
if ARGV[8] ~= '' then
  local more
  head, dropped, more = choose(function(n) return call('LINDEX', KEYS[2], n + gone) end)
  if head == false then return unreadable(KEYS[2], 'an entry of it') end
  for _, word in ipairs(more) do fates[#fates + 1] = word end
  sends.count = sends.count - dropped
elseif sends.count > 0 then
  local following = entry(call('LINDEX', KEYS[2], gone) or '')
  if not following then return unreadable(KEYS[2], 'an entry of it') end
  requeue(following)
else
  requeue(nil)
end
queues(KEYS[3])
if head then take(tonumber(ARGV[8])) end
call('HSET', KEYS[4], unpack(fates))
if gone + dropped == 1 then call('LPOP', KEYS[2]) elseif gone + dropped > 0 then call('LTRIM', KEYS[2], gone + dropped, -1) end
if has_pace then
  call('HSET', KEYS[1], 's', s_field(), 'p', format('%d %d', empty_at, paced_until))
else
  call('HSET', KEYS[1], 's', s_field())
end
index(KEYS[3])
local claim = false
if head then claim = claimed(head, call('HMGET', KEYS[1], 'ch', 'i', 'a0', 'a1', 'a2', 'a3'), 1) end
return {1, now, 1, sends.at or '-', claim}
