-- Lets what can't be read rest, so that it is reported now and then and the others go on, and keeps a note for people.
-- KEYS a queue, unread ARGV 3 for how long 4 notes of a partition at most 5 the note 6 letter of the queue 7… members of it
-- → 1, now
local noted = ARGV[6] .. (ARGV[7] or cid)
call('HLEN', KEYS[2])
for i = 7, #ARGV do call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[3]), ARGV[i]) end
if call('HLEN', KEYS[2]) < tonumber(ARGV[4]) or call('HEXISTS', KEYS[2], noted) == 1 then
  for i = 7, math.max(#ARGV, 7) do call('HSET', KEYS[2], ARGV[6] .. (ARGV[i] or cid), '\1\1' .. now .. ' ' .. ARGV[5]) end
  call('PEXPIRE', KEYS[2], 3 * ARGV[3])
end
return {1, now}
