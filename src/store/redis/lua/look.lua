-- What is due, and what is soonest. KEYS any of a partition's queues ARGV 3 how many at most 4 how far to look ahead, or nothing
-- → 1, now, then for each queue: members and times of those that are due by then; if none is, of the soonest
local answer = {1, now}
local by = now + tonumber(ARGV[4] or 0)
for n, queue in ipairs(KEYS) do
  local soonest = call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if soonest[1] and tonumber(soonest[2]) <= by then
    soonest = call('ZRANGEBYSCORE', queue, '-inf', by, 'WITHSCORES', 'LIMIT', 0, ARGV[3])
  end
  answer[n + 2] = soonest
end
return answer
