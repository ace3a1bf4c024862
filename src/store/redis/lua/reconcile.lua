-- A status of the provider. KEYS contact outbox send fates
-- ARGV 3 channel 4 our id 5 the provider's id 6 'o' found by our id, 'm' by the provider's 7 rank 8 state
-- 9 thread cap 10 interval and 11 reach of the pace, or '' → 1, now, 1 or 0 (not known), when it sends, 1 if the provider's id is new
local f = call('HMGET', KEYS[1], 'v', 'ch', 'r', 's')
if not f[1] or f[2] ~= ARGV[3] then return {1, now, 0, '-'} end
if f[1] ~= SCHEMA or not (mailbox(f[3]) and outbox(f[4])) then
  return unreadable(KEYS[1], 'a field of it', f[1])
end
local cap = tonumber(ARGV[9])
local seq, rank, mid, state = fate(call('HGET', KEYS[4], ARGV[4]), cap)
local place, second
if sends.count > 0 and (ARGV[6] == 'o' or seq) then
  for n, blob in ipairs(call('LRANGE', KEYS[2], 0, -1)) do
    local one = entry(blob)
    if not one then return unreadable(KEYS[2], 'entry ' .. n - 1) end
    if one.id == ARGV[4] then place = one; place.n = n - 1 end
    if n == 2 then second = one end
  end
end
-- What is known of an earlier message of the same id is not known of this one.
if place and seq ~= tonumber(place.line) then seq, rank, mid, state = nil, nil, nil, nil end
if ARGV[6] == 'm' and (not seq or mid ~= ARGV[5]) then return {1, now, 0, '-'} end
if not (seq or place) then return {1, now, 0, '-'} end
if place then queues(KEYS[3]) end
local learned = 0
local own = seq or tonumber(place.line)
if own > lines - cap then
  if not rank or rank < tonumber(ARGV[7]) then rank, state = ARGV[7], ARGV[8] end
  if not mid or mid == '' then mid, learned = ARGV[5], 1 end
  call('HSET', KEYS[4], ARGV[4], own .. ' ' .. rank .. ' ' .. #mid .. ' ' .. mid .. ' ' .. state)
end
if place then
  -- The provider knows the message: it need not be sent again, whoever holds it now.
  sends.count = sends.count - 1
  if place.n == 0 then
    call('LPOP', KEYS[2])
    if sends.sending then sends.sent = sends.fence end
    if ARGV[10] ~= '' then
      local every, reach = tonumber(ARGV[10]), tonumber(ARGV[11])
--< charge
    end
--< next_head
    requeue(second)
    local queue = KEYS[3]
--< index
  else
    call('LREM', KEYS[2], 1, place.blob)
  end
  call('HSET', KEYS[1], 's', s_field())
end
return {1, now, 1, sends.at or '-', learned}
