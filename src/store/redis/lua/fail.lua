-- The turn returned an error. KEYS contact mailbox body run parked counts
-- ARGV 3 fence and nonce 4 why 5 park after 6… how long it rests, by how often it failed, last the parked cap
-- → 1, now, 'f' (fenced), 'r' and until, or 'p' and seq
local f = call('HMGET', KEYS[1], 'v', 'r', 'e', 'ch')
if not f[1] then return {1, now, 'f'} end
if f[1] ~= SCHEMA or not mailbox(f[2]) then return unreadable(KEYS[1], 'a field of it', f[1]) end
local holder = ARGV[3]
if f[3] and sub(f[3], 1, 14) == holder then
  local how, number = struct.unpack('>c1I6', f[3], 15)
  if how == 'c' then return {1, now, 'f'} end
  return {1, now, how, number}
end
if not leased or sub(f[2], 33, 46) ~= holder then return {1, now, 'f'} end
queues(KEYS[4])
local head = call('LINDEX', KEYS[2], 0)
if not head or not match(head, '^\1\1%d+ %d+ ') then return unreadable(KEYS[2], 'entry 0') end
failures = failures + 1
leased = false
local answer
if failures < tonumber(ARGV[5]) then
  rest = now + tonumber(ARGV[5 + failures])
  run = rest
  answer = {1, now, 'r', rest}
else
  local seq = park(ARGV[4], f[4], ARGV[#ARGV])
  rest, run = nil, nil
  if last > taken then burst, run = now, now end
  answer = {1, now, 'p', seq}
end
if last == taken then run = nil end
call('HSET', KEYS[1], 'r', r_field(), 'e', holder .. struct.pack('>c1I6', answer[3], answer[4]))
if run then call('ZADD', KEYS[4], run, cid) else call('ZREM', KEYS[4], cid) end
answer[5] = run and string.format('%.0f', run) or '-'
return answer
