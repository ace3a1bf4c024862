-- A job's result becomes an event. KEYS contact mailbox body jobs run active ARGV 3 member 4 field 5 nonce 6 result
-- → 1, now, 1 or 0 (lost), when it runs
local job = call('HGET', KEYS[3], ARGV[4])
if not job then return {1, now, 0, '-'} end
local holder = match(job, '^\1\1%d+ (%d+) ')
if not holder then return unreadable(KEYS[3] .. ' ' .. ARGV[4], 'its format or schema') end
if holder ~= ARGV[5] then return {1, now, 0, '-'} end
local f = call('HMGET', KEYS[1], 'v', 'r')
if f[1] ~= SCHEMA then return unreadable(KEYS[1], 'its schema is ' .. tostring(f[1]), f[1]) end
if not mailbox(f[2]) then return unreadable(KEYS[1], 'a field of it', f[1]) end
queues(KEYS[4], KEYS[5], KEYS[6])
call('RPUSH', KEYS[2], event(ARGV[6], 0, 0))
call('HDEL', KEYS[3], ARGV[4])
call('ZREM', KEYS[4], ARGV[3])
call('HSET', KEYS[1], 'r', r_field())
if run then call('ZADD', KEYS[5], run, cid) end
call('ZADD', KEYS[6], now, cid)
return {1, now, 1, leased and '-' or run or '-'}
