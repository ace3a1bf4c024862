-- Makes the contact if it is missing and adds aliases it does not have. KEYS contact active 
-- ARGV 3 channel 4 last seq, 5 fence and 6 sender's fence of its tombstone ('' none) 7… aliases
-- → 1, now; or 4, now and where it went, if it was merged
local all = call('HGETALL', KEYS[1])
local f, known, n = {}, {}, 0
for i = 1, #all, 2 do
  f[all[i]] = all[i + 1]
  if match(all[i], '^a%d') then known[all[i + 1]] = true; n = n + 1 end
end
if f.to then return {4, now, f.to} end
if f.v and f.v ~= SCHEMA then return unreadable(KEYS[1], 'its schema is ' .. f.v, f.v) end
local fields = {}
if not f.v then
  if ARGV[4] ~= '' then
    last, taken, fence, erased = tonumber(ARGV[4]), tonumber(ARGV[4]), tonumber(ARGV[5]), true
    fields = {'s', struct.pack(SENDS, 0, 0, tonumber(ARGV[6]), 0, 0, 0, 0, 0, 0, 0, owner, 0, 0)}
  end
  for _, word in ipairs({'v', SCHEMA, 'ch', ARGV[3], 'r', r_field()}) do fields[#fields + 1] = word end
end
for i = 7, #ARGV do
  if not known[ARGV[i]] then
    known[ARGV[i]] = true
    fields[#fields + 1] = 'a' .. n
    fields[#fields + 1] = ARGV[i]
    n = n + 1
  end
end
if not f.v then queues(KEYS[2]) end
if #fields > 0 then call('HSET', KEYS[1], unpack(fields)) end
if not f.v then call('ZADD', KEYS[2], now, cid) end
return {1, now}
