-- Puts the head of the mailbox aside. KEYS 2 mailbox 5 parked
local function park(why)
  crashes, failures, rest = 0, 0, nil
  if last == taken then return 0 end
  local head = call('LPOP', KEYS[2])
  taken = taken + 1
  call('RPUSH', KEYS[5], BLOB .. cid .. taken .. ' ' .. now .. ' ' .. #why .. ' ' .. why .. sub(head or '', 3))
  return taken
end
