-- Small facts of the whole installation. KEYS settings ARGV 3 g (get), s (set) or d (remove) 4 key 5 value
-- → 1, now, value or false
if ARGV[3] == 's' then call('HSET', KEYS[1], ARGV[4], ARGV[5])
elseif ARGV[3] == 'd' then call('HDEL', KEYS[1], ARGV[4])
else return {1, now, call('HGET', KEYS[1], ARGV[4])} end
return {1, now, false}
