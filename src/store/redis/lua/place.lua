-- Whose message an id names. KEYS places of a week … ARGV 3 hash of the id 4 place to keep, '' to look 5 kept for
-- → 1, now, place or false
if ARGV[4] ~= '' then
  call('HSET', KEYS[1], ARGV[3], ARGV[4])
  if call('TTL', KEYS[1]) < 0 then call('PEXPIRE', KEYS[1], ARGV[5]) end
  return {1, now, false}
end
for _, week in ipairs(KEYS) do
  local place = call('HGET', week, ARGV[3])
  if place then return {1, now, place} end
end
return {1, now, false}
