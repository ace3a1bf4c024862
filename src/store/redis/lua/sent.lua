-- What became of a claimed entry, and if asked the next claim. KEYS contact outbox send fates
-- ARGV 3 numbers: fence, lease (0 none), when to try again, interval and reach of the pace, and 1 if there is one 4 outcome
-- (a accepted, d dead, r retry, n not yet, u uncertain) 5 length of the provider's id, that id, and the state
-- → 1, now, 1 or 0 (lost), when it sends, claim…
local f = call('HMGET', KEYS[1], 'v', 's')
if not f[1] then return {1, now, 0, '-'} end
local s = f[2]
--< s
if broken or f[1] ~= SCHEMA then return unreadable(KEYS[1], 'a field of it', f[1]) end
local own, lease_for, again, every, reach, has_pace = struct.unpack('>I6I6I6I6I6B', ARGV[3])
local outcome = ARGV[4]
if sends.sent == own then return {1, now, 1, sends.at or '-'} end
if not sends.sending or sends.fence ~= own then return {1, now, 0, '-'} end
local first = call('LINDEX', KEYS[2], 0) or ''
local seq, length, from = match(first, '^\1\1%a %-?%d+ %a%d+ (%d+) (%d+) ()')
if not seq then return unreadable(KEYS[2], 'entry 0') end
local id, fate = sub(first, from, from + length - 1), seq .. ' -1 ' .. ARGV[5]
local gone = 0
if outcome == 'a' or outcome == 'd' then
  gone = 1
--< next_head
else
  sends.ready = again
  if outcome == 'u' then sends.uncertain, sends.doubts = true, sends.doubts + 1 end
  if outcome == 'n' then sends.attempts = sends.attempts - 1 end
end
if has_pace == 1 then
--< charge
end
sends.sending, sends.sent, sends.count, sends.at = false, sends.fence, sends.count - gone, nil
local head, dropped, more = nil, 0, nil
if sends.count > 0 then
--< sending
  if lease_for > 0 then
    head, dropped, more = choose(function(n) return entry(call('LINDEX', KEYS[2], n + gone) or '') end)
    if head == false then return unreadable(KEYS[2], 'an entry of it') end
    sends.count = sends.count - dropped
  else
    local following = entry(call('LINDEX', KEYS[2], gone) or '')
    if not following then return unreadable(KEYS[2], 'an entry of it') end
    requeue(following)
  end
end
local queue = KEYS[3]
call('ZCARD', queue)
if head then
--< take
end
call('HSET', KEYS[4], id, fate)
if more then call('HSET', KEYS[4], unpack(more)) end
if gone + dropped == 1 then call('LPOP', KEYS[2]) elseif gone + dropped > 0 then call('LTRIM', KEYS[2], gone + dropped, -1) end
--< s_packed
call('HSET', KEYS[1], 's', s)
--< index
local answer = {1, now, 1, sends.at or '-'}
if head then
  f = call('HMGET', KEYS[1], 'r', 'ch', 'a0', 'a1', 'a2', 'a3')
  local r, from = f[1], 2
--< r
--< claimed
end
return answer
