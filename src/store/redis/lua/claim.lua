-- Takes the lease of a contact that is due. KEYS contact mailbox body run parked counts
-- ARGV 3 nonce 4 lease 5 events at most 6 park after 7 why a head is parked when its holders died 8 parked cap
-- → 0, when it is due; or the view
if not f[1] then return {0, '-'} end
local wrong = read_contact()
if wrong then return wrong end
local due = run and run <= now
if leased and not due and nonce == ARGV[3] then -- the same caller, whose first answer was lost
  return read_rest(tonumber(ARGV[5]) - 1) or view()
end
if not due then return {0, run or '-'} end
wrong = read_rest(tonumber(ARGV[5]) - (leased and 0 or 1))
if wrong then return wrong end
queues(KEYS[4])

local lost = leased and 1 or 0
if leased then
  crashes = crashes + 1
  if crashes >= tonumber(ARGV[6]) then
    park(ARGV[7], f[4], ARGV[8])
    table.remove(events, 1)
  end
end
if last == taken then
  leased, run = false, nil
  call('HSET', KEYS[1], 'r', r_field())
  call('ZREM', KEYS[4], cid)
  return {0, '-'}
end
events[tonumber(ARGV[5]) + 1] = nil
leased, nonce, fence, claimed_after, run = true, ARGV[3], fence + 1, takeovers, now + tonumber(ARGV[4])
call('HSET', KEYS[1], 'r', r_field())
call('ZADD', KEYS[4], run, cid)
local claimed = view()
claimed[12] = lost
return claimed
