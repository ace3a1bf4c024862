-- The most recently active. KEYS active ARGV 3 how many at most → 1, now, members and times
return {1, now, call('ZREVRANGE', KEYS[1], 0, ARGV[3] - 1, 'WITHSCORES')}
