-- Takes one job, if it is due. KEYS contact body jobs ARGV 3 member 4 field 5 nonce 6 lease
-- → 1, now, 0 or 1, channel, payload, attempt, when its lease ends
local at = call('ZSCORE', KEYS[3], ARGV[3])
if not at or tonumber(at) > now then return {1, now, 0} end
local f = call('HMGET', KEYS[1], 'v', 'ch')
if f[1] ~= SCHEMA then return unreadable(KEYS[1], 'its schema is ' .. tostring(f[1]), f[1]) end
local job = call('HGET', KEYS[2], ARGV[4])
local attempt, from = match(job or '', '^\1\1(%d+) %d+ ()')
if not attempt then return unreadable(KEYS[2] .. ' ' .. ARGV[4], 'its format or schema') end
attempt = attempt + 1
local payload, due = sub(job, from), now + tonumber(ARGV[6])
call('HSET', KEYS[2], ARGV[4], BLOB .. attempt .. ' ' .. ARGV[5] .. ' ' .. payload)
call('ZADD', KEYS[3], due, ARGV[3])
return {1, now, 1, f[2], payload, attempt, string.format('%.0f', due)}
