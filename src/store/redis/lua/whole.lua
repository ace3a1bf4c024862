-- All there is of a contact. KEYS contact body mailbox seen outbox thread fates timers jobs active parked
-- → 0, or 1, now, contact, body, times of what in the body is timed, mailbox, seen, outbox, thread, fates, active at, parked
local all = call('HGETALL', KEYS[1])
if #all == 0 then return {0} end
local body, times, mine = call('HGETALL', KEYS[2]), {}, {}
for i = 1, #body, 2 do
  local kind = sub(body[i], 1, 1)
  local queue = kind == 't' and KEYS[8] or kind == 'j' and KEYS[9]
  times[#times + 1] = queue and call('ZSCORE', queue, cid .. sub(body[i], 2)) or '-'
end
for _, one in ipairs(call('LRANGE', KEYS[11], 0, -1)) do
  if sub(one, 3, 18) == cid then mine[#mine + 1] = one end
end
return {
  1, now, all, body, times, call('LRANGE', KEYS[3], 0, -1), call('GET', KEYS[4]) or '', call('LRANGE', KEYS[5], 0, -1),
  call('LRANGE', KEYS[6], 0, -1), call('HGETALL', KEYS[7]), call('ZSCORE', KEYS[10], cid) or '0', mine,
}
