-- Keeps what could not be read. KEYS quarantine ARGV 3 entry 4 how many at most → 1, now
call('RPUSH', KEYS[1], ARGV[3])
call('LTRIM', KEYS[1], -ARGV[4], -1)
return {1, now}
