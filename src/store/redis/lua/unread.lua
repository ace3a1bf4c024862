-- What of a partition can't be read and rests. KEYS unread run send timers jobs
-- ARGV 3 l (all of it), u (what of the contact rests is tried again now) or d (forget that) 4 how long it rests
-- → 1, now, and fields and values, or how many
local QUEUES = {r = 2, s = 3, t = 4, j = 5}
local all, gone = call('HGETALL', KEYS[1]), 0
if ARGV[3] == 'l' then return {1, now, all} end
for n = 2, 5 do call('ZCARD', KEYS[n]) end
for i = 1, #all, 2 do
  local queue, member = QUEUES[sub(all[i], 1, 1)], sub(all[i], 2)
  if sub(member, 1, 16) == cid then
    if ARGV[3] == 'u' and queue then
      -- Unless it is in work again already.
      local at, since = call('ZSCORE', KEYS[queue], member), match(all[i + 1], '^..(%d+) ')
      if at and since and tonumber(at) == since + ARGV[4] then call('ZADD', KEYS[queue], now, member) end
    end
    call('HDEL', KEYS[1], all[i])
    gone = gone + 1
  end
end
return {1, now, gone}
