-- What stays of erased contacts. KEYS tombstones of a partition ARGV 3 field ('' all) 4 what to keep ('' to read, '-' to forget)
-- → 1, now, what there is, or fields and values
if ARGV[3] == '' then return {1, now, call('HGETALL', KEYS[1])} end
if ARGV[4] == '-' then call('HDEL', KEYS[1], ARGV[3])
elseif ARGV[4] ~= '' then call('HSET', KEYS[1], ARGV[3], ARGV[4]) end
return {1, now, call('HGET', KEYS[1], ARGV[3])}
