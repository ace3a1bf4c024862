-- Makes the contact if it is missing and adds aliases it does not have. KEYS contact active ARGV 3 channel 4… aliases
-- → 1, now
local all = call('HGETALL', KEYS[1])
local f, known, n = {}, {}, 0
for i = 1, #all, 2 do
  f[all[i]] = all[i + 1]
  if match(all[i], '^a%d') then known[all[i + 1]] = true; n = n + 1 end
end
if f.v and f.v ~= SCHEMA then return unreadable(KEYS[1], 'its schema is ' .. f.v) end
local fields = {}
if not f.v then fields = {'v', SCHEMA, 'ch', ARGV[3], 'm', m_field()} end
for i = 4, #ARGV do
  if not known[ARGV[i]] then
    known[ARGV[i]] = true
    fields[#fields + 1] = 'a' .. n
    fields[#fields + 1] = ARGV[i]
    n = n + 1
  end
end
if #fields > 0 then call('HSET', KEYS[1], unpack(fields)) end
if not f.v then call('ZADD', KEYS[2], now, cid) end
return {1, now}
