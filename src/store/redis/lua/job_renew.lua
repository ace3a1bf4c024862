-- Prolongs the claim of a job for its holder. KEYS body jobs ARGV 3 member 4 field 5 nonce 6 lease
-- → 1, now, 1 or 0 (lost), until when
local job = call('HGET', KEYS[1], ARGV[4])
if not job then return {1, now, 0, '-'} end
local holder = match(job, '^\1\1%d+ (%d+) ')
if not holder then return unreadable(KEYS[1] .. ' ' .. ARGV[4], 'its format or schema') end
if holder ~= ARGV[5] then return {1, now, 0, '-'} end
local due = now + tonumber(ARGV[6])
call('ZADD', KEYS[2], due, ARGV[3])
return {1, now, 1, string.format('%.0f', due)}
