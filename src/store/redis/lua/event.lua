-- Sets when the contact is to be answered: after the quiet time, no later than `quiet_max` after the burst began.
local function mark(quiet, quiet_max)
  if leased then return end           -- the end of the lease queues it again
  local due = run
  if due and due <= now then return end -- it keeps its place
  run = now
  if quiet > 0 then run = math.max(math.min(math.max(now + quiet, due or 0), burst + quiet_max), now) end
  if rest and rest > run then run = rest end
end

-- An event at the end of the mailbox, as it is kept.
local function event(payload, quiet, quiet_max)
  if last == taken then burst = now end
  last = last + 1
  mark(quiet, quiet_max)
  return BLOB .. format('%d %d ', last, now) .. payload
end
