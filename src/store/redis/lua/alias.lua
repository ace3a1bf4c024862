-- Which contact an alias leads to. KEYS alias ARGV 3 what to write, '' to read 4 what must stand there
-- A value is P (the contact does not list it yet) or L, and the contact's 16 bytes. → 1, now, value or false
local value = call('GET', KEYS[1])
if ARGV[3] ~= '' and (value or '') == ARGV[4] then
  if ARGV[3] == '-' then call('DEL', KEYS[1]) else call('SET', KEYS[1], ARGV[3]) end
end
return {1, now, value}
