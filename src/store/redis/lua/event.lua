-- Sets when the contact is to be answered: after the quiet time, no later than `quiet_max` after the burst began.
local function mark(quiet, quiet_max)
  if leased then return end           -- the end of the lease queues it again
  if run and run <= now then return end -- due already: it keeps its place
  local due
  if run and quiet == 0 then
    due = now
  else
    due = math.max(math.min(math.max(now + quiet, run or 0), burst + quiet_max), now)
  end
  run = math.max(due, rest or due)
end

-- An event at the end of the mailbox, as it is kept.
local function event(payload, quiet, quiet_max)
  if last == taken then burst = now end
  last = last + 1
  mark(quiet, quiet_max)
  return BLOB .. format('%d %d ', last, now) .. payload
end
