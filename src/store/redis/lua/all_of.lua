-- A small hash, whole. KEYS hash → 1, now, fields and values
return {1, now, call('HGETALL', KEYS[1])}
