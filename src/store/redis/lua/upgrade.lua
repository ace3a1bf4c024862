-- Packs the numbers of a contact of format 1. KEYS contact → 1, now
local schema, m = unpack(call('HMGET', KEYS[1], 'v', 'm'))
if schema ~= '1' then return {1, now} end
if not m then -- it was merged into another: there is but a word where it went
  call('HSET', KEYS[1], 'v', SCHEMA)
  return {1, now}
end
--< earlier
local r, s
--< r_packed
--< s_packed
call('HSET', KEYS[1], 'v', SCHEMA, 'r', r, 's', s)
if ended then call('HSET', KEYS[1], 'e', ended) end
call('HDEL', KEYS[1], 'm', 'l', 'o', 'p', 'i', 'z')
return {1, now}
