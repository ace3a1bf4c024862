-- A contact that was merged into another leaves a word where it went, and its whole until the other has it.
-- KEYS contact ARGV 3 where ('' to read) 4 its whole ('' the other has it) → 1, now, where or false, whole or false
if ARGV[3] ~= '' then
  call('HSET', KEYS[1], 'v', '2', 'to', ARGV[3])
  if ARGV[4] == '' then call('HDEL', KEYS[1], 'plan') else call('HSET', KEYS[1], 'plan', ARGV[4]) end
end
local f = call('HMGET', KEYS[1], 'to', 'plan')
return {1, now, f[1], f[2]}
