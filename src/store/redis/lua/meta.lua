-- What this store is. KEYS meta ARGV 3… fields and values of a new one → 1, now, all fields and values
if call('HLEN', KEYS[1]) == 0 and #ARGV > 2 then call('HSET', KEYS[1], unpack(ARGV, 3)) end
return {1, now, call('HGETALL', KEYS[1])}
