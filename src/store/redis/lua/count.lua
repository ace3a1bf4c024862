-- What a partition holds. KEYS run send timers jobs active parked counts
-- ARGV 3 how many at most of the last two → 1, now, contacts, timers, jobs, parked, dropped, then contacts in run and send
return {
  1, now, call('ZCARD', KEYS[5]), call('ZCARD', KEYS[3]), call('ZCARD', KEYS[4]), call('LLEN', KEYS[6]),
  call('HGET', KEYS[7], 'parked_dropped') or 0, call('ZRANGE', KEYS[1], 0, ARGV[3] - 1), call('ZRANGE', KEYS[2], 0, ARGV[3] - 1),
}
