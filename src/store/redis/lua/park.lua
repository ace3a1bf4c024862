-- Puts the head of the mailbox aside: the contact's 16 bytes, then seq, time, lengths of id ('' its usual one), channel
-- and why, these three, and the event's bytes. KEYS 2 mailbox 5 parked 6 counts
local function park(why, channel, cap)
  crashes, failures, rest = 0, 0, nil
  if last == taken then return 0 end
  call('LLEN', KEYS[5])
  call('HLEN', KEYS[6])
  local head = call('LPOP', KEYS[2])
  taken = taken + 1
  call('RPUSH', KEYS[5], BLOB .. cid .. taken .. ' ' .. now .. ' 0 ' .. #channel .. ' ' .. #why .. ' ' .. channel .. why
    .. sub(head, match(head, '^..%d+ %d+ ()')))
  local over = call('LLEN', KEYS[5]) - tonumber(cap)
  if over > 0 then
    call('LTRIM', KEYS[5], over, -1)
    call('HINCRBY', KEYS[6], 'parked_dropped', over)
  end
  return taken
end
