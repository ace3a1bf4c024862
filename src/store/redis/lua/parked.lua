-- The latest parked events. KEYS parked ARGV 3 how many at most → 1, now, entries
return {1, now, call('LRANGE', KEYS[1], -ARGV[3], -1)}
