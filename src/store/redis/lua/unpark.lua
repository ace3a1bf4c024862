-- Takes an event that was put aside back into its mailbox, or forgets it. KEYS contact mailbox parked run active
-- ARGV 3 u or d 4 id 5 its usual form's seq ('' if it has none) → 1, now, 1 or 0 (not put aside), when it runs
for _, one in ipairs(call('LRANGE', KEYS[3], 0, -1)) do
  if sub(one, 3, 18) == cid then
    local seq, id, channel, why, at = match(one, '^(%d+) %d+ (%d+) (%d+) (%d+) ()', 19)
    if not seq then return unreadable(KEYS[3], 'an entry of it') end
    local named = sub(one, at, at + id - 1)
    if named == ARGV[4] or named == '' and seq == ARGV[5] then
      if ARGV[3] == 'u' then
        local f = call('HMGET', KEYS[1], 'v', 'r')
        if f[1] ~= SCHEMA or not mailbox(f[2]) then return unreadable(KEYS[1], 'a field of it', f[1]) end
        queues(KEYS[4], KEYS[5])
        call('RPUSH', KEYS[2], event(sub(one, at + id + channel + why), 0, 0))
        call('HSET', KEYS[1], 'r', r_field())
        if run then call('ZADD', KEYS[4], run, cid) end
        call('ZADD', KEYS[5], now, cid)
      end
      call('LREM', KEYS[3], 1, one)
      return {1, now, 1, leased and '-' or run or '-'}
    end
  end
end
return {1, now, 0, '-'}
