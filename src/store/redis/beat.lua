#!lua flags=allow-oom
-- A worker says that it lives, or goes; all hear who does. KEYS 1 hash of workers
-- ARGV 1 id ('' only looks) 2 record ('' goes) 3 milliseconds without a word after which one is gone → id, record …
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[1] ~= '' then
  if ARGV[2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
  else
    redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f ', now) .. ARGV[2])
  end
end
local live = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at, record = string.match(all[i + 1], '^(%d+) (.*)$')
  if not at or tonumber(at) + tonumber(ARGV[3]) < now then
    redis.call('HDEL', KEYS[1], all[i])
  else
    live[#live + 1] = all[i]
    live[#live + 1] = record
  end
end
return live
