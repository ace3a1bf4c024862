-- The turn returned an error. KEYS contact mailbox body run parked counts
-- ARGV 3 fence 4 nonce 5 why 6 park after 7… how long it rests, by how often it failed, last the parked cap
-- → 1, now, 'f' (fenced), 'r' and until, or 'p' and seq
local f = call('HMGET', KEYS[1], 'v', 'm', 'l', 'e', 'ch')
if not f[1] then return {1, now, 'f'} end
if f[1] ~= SCHEMA or not (mailbox(f[2]) and lease(f[3])) then return unreadable(KEYS[1], 'a field of it') end
local ended, how = match(f[4] or '', '^(%d+ %d+) (.*)$')
local holder = ARGV[3] .. ' ' .. ARGV[4]
if ended == holder then
  if how == 'c' then return {1, now, 'f'} end
  return {1, now, sub(how, 1, 1), sub(how, 2)}
end
if not leased or tostring(fence) ~= ARGV[3] or nonce ~= ARGV[4] then return {1, now, 'f'} end
queues(KEYS[4])
local head = call('LINDEX', KEYS[2], 0)
if not head or not match(head, '^\1\1%d+ %d+ ') then return unreadable(KEYS[2], 'entry 0') end
failures = failures + 1
leased = false
local answer
if failures < tonumber(ARGV[6]) then
  rest = now + tonumber(ARGV[6 + failures])
  run = rest
  answer = {1, now, 'r', string.format('%.0f', rest)}
else
  local seq = park(ARGV[5], f[5], ARGV[#ARGV])
  rest, run = nil, nil
  if last > taken then burst, run = now, now end
  answer = {1, now, 'p', tostring(seq)}
end
if last == taken then run = nil end
call('HSET', KEYS[1], 'm', m_field(), 'l', l_field(), 'e', holder .. ' ' .. answer[3] .. answer[4])
if run then call('ZADD', KEYS[4], run, cid) else call('ZREM', KEYS[4], cid) end
answer[5] = run and string.format('%.0f', run) or '-'
return answer
