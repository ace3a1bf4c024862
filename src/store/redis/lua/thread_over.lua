-- How many of the thread's lines are too many once `new_lines` are added to `h`; up to SLACK over the cap wait for the others. A
-- read, so that a key of a wrong type is met before anything is written.
local over = 0
if #new_lines > 0 then
  local SLACK = 32
  over = call('LLEN', h) + #new_lines - cap
  if over > SLACK or over > 0 and cap < SLACK then call('HLEN', x) else over = 0 end
end
