-- Forgets what was put aside before a time. KEYS parked ARGV 3 time → 1, now, how many
local gone = 0
for _, one in ipairs(call('LRANGE', KEYS[1], 0, -1)) do
  local at = match(one, '^%d+ (%d+) ', 19)
  if at and tonumber(at) < tonumber(ARGV[3]) then
    call('LREM', KEYS[1], 1, one)
    gone = gone + 1
  end
end
return {1, now, gone}
