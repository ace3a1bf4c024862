-- Keeps what could not be read. KEYS quarantine ARGV 3 id 4 entry ('' to forget it) 5 how many at most
-- → 1, now, 1 if it was there before
local was = call('HEXISTS', KEYS[1], ARGV[3])
if ARGV[4] == '' then
  call('HDEL', KEYS[1], ARGV[3])
  return {1, now, was}
end
call('HSET', KEYS[1], ARGV[3], ARGV[4])
if call('HLEN', KEYS[1]) > tonumber(ARGV[5]) then
  local all, oldest, id = call('HGETALL', KEYS[1]), nil, nil
  for i = 1, #all, 2 do
    local at = tonumber(match(all[i + 1], '^..(%d+) '))
    if not oldest or at and at < oldest then oldest, id = at, all[i] end
  end
  call('HDEL', KEYS[1], id)
end
return {1, now, was}
