-- What became of a claimed entry, and if asked the next claim. KEYS contact outbox send fates
-- ARGV 3 numbers: fence, lease (0 none), when to try again, interval and reach of the pace, and 1 if there is one 4 outcome
-- (a accepted, d dead, r retry, n not yet, u uncertain) 5 length of the provider's id, that id, and the state
-- → 1, now, 1 or 0 (lost), when it sends, claim…
local f = call('HMGET', KEYS[1], 'v', 'o', 's', 'p')
if not f[1] then return {1, now, 0, '-'} end
if f[1] ~= SCHEMA or not (owned(f[2]) and outbox(f[3]) and paced(f[4])) then return unreadable(KEYS[1], 'a field of it') end
local own, lease_for, again, every, reach, has_pace = struct.unpack('>I6I6I6I6I6B', ARGV[3])
local outcome = ARGV[4]
if sends.sent == own then return {1, now, 1, sends.at or '-'} end
if not sends.sending or sends.fence ~= own then return {1, now, 0, '-'} end
local first = entry(call('LINDEX', KEYS[2], 0) or '')
if not first then return unreadable(KEYS[2], 'entry 0') end
local fates = {first.id, first.line .. ' -1 ' .. ARGV[5]}
local gone = 0
if outcome == 'a' or outcome == 'd' then
  gone = 1
  next_head()
else
  sends.ready = again
  if outcome == 'u' then sends.uncertain, sends.doubts = true, sends.doubts + 1 end
  if outcome == 'n' then sends.attempts = sends.attempts - 1 end
end
if has_pace == 1 then charge(every, reach) end
sends.sending, sends.sent, sends.count = false, sends.fence, sends.count - gone
local head, dropped = nil, 0
if sends.count == 0 then
  requeue(nil)
elseif lease_for > 0 then
  local more
  head, dropped, more = choose(function(n) return entry(call('LINDEX', KEYS[2], n + gone) or '') end)
  if head == false then return unreadable(KEYS[2], 'an entry of it') end
  for _, word in ipairs(more or {}) do fates[#fates + 1] = word end
  sends.count = sends.count - dropped
else
  local following = entry(call('LINDEX', KEYS[2], gone) or '')
  if not following then return unreadable(KEYS[2], 'an entry of it') end
  requeue(following)
end
call('ZCARD', KEYS[3])
if head then take(lease_for) end
call('HSET', KEYS[4], unpack(fates))
if gone + dropped == 1 then call('LPOP', KEYS[2]) elseif gone + dropped > 0 then call('LTRIM', KEYS[2], gone + dropped, -1) end
if has_pace == 1 then
  call('HSET', KEYS[1], 's', s_field(), 'p', format('%d %d', empty_at, paced_until))
else
  call('HSET', KEYS[1], 's', s_field())
end
index(KEYS[3])
local answer = {1, now, 1, sends.at or '-'}
if head then claimed(answer, head, call('HMGET', KEYS[1], 'ch', 'i', 'a0', 'a1', 'a2', 'a3'), 1) end
return answer
