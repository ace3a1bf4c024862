-- What this store is. KEYS meta ARGV 3 the format it must have ('' it is new) for these to be written: 4… fields and values
-- → 1, now, all fields and values
if #ARGV > 3 and (call('HGET', KEYS[1], 'format') or '') == ARGV[3] then
  if ARGV[3] ~= '' or call('HLEN', KEYS[1]) == 0 then call('HSET', KEYS[1], unpack(ARGV, 4)) end
end
return {1, now, call('HGETALL', KEYS[1])}
