-- Lets what can't be read rest, so that it is reported now and then and the others go on.
-- KEYS a queue ARGV 3 for how long 4… members → 1, now
for i = 4, #ARGV do call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[3]), ARGV[i]) end
return {1, now}
