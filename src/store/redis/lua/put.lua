-- Puts a contact in the place of what is there of it. KEYS as of whole, then run send
-- ARGV 3 what its hash must be, fields and values in one ('' it must not be there)
-- 4 seen 5 for how long 6 active at 7 runs at 8 sends at ('' not), then 9 lists, each after its length: contact, body, mailbox,
-- outbox, thread, fates, timers, jobs, parked. Without all these it is removed; with two words, where it went and its whole
-- (see stub), that is left of it. → 1, now, 1 or 0 (it is another)
if table.concat(call('HGETALL', KEYS[1])) ~= ARGV[3] then return {1, now, 0} end
local body = call('HKEYS', KEYS[2])
call('LLEN', KEYS[11])
queues(KEYS[8], KEYS[9], KEYS[10], KEYS[12], KEYS[13])
for _, field in ipairs(body) do
  local kind = sub(field, 1, 1)
  if kind == 't' then call('ZREM', KEYS[8], cid .. sub(field, 2))
  elseif kind == 'j' then call('ZREM', KEYS[9], cid .. sub(field, 2)) end
end
for _, one in ipairs(call('LRANGE', KEYS[11], 0, -1)) do
  if sub(one, 3, 18) == cid then call('LREM', KEYS[11], 1, one) end
end
for n = 1, 7 do call('DEL', KEYS[n]) end
call('ZREM', KEYS[10], cid)
call('ZREM', KEYS[12], cid)
call('ZREM', KEYS[13], cid)
if #ARGV == 3 then return {1, now, 1} end
if #ARGV == 5 then -- it went into another, which is to get all of it
  call('HSET', KEYS[1], 'v', '2', 'to', ARGV[4], 'plan', ARGV[5])
  return {1, now, 1}
end

local at = 9
local function write(command, key)
  local n = tonumber(ARGV[at])
  for from = at + 1, at + n, 4000 do
    call(command, key, unpack(ARGV, from, math.min(from + 3999, at + n)))
  end
  at = at + n + 1
end
write('HSET', KEYS[1])
write('HSET', KEYS[2])
write('RPUSH', KEYS[3])
write('RPUSH', KEYS[5])
write('RPUSH', KEYS[6])
write('HSET', KEYS[7])
write('ZADD', KEYS[8])
write('ZADD', KEYS[9])
write('RPUSH', KEYS[11])
if ARGV[4] ~= '' then call('SET', KEYS[4], ARGV[4], 'PX', ARGV[5]) end
call('ZADD', KEYS[10], ARGV[6], cid)
if ARGV[7] ~= '' then call('ZADD', KEYS[12], ARGV[7], cid) end
if ARGV[8] ~= '' then call('ZADD', KEYS[13], ARGV[8], cid) end
return {1, now, 1}
