-- The aliases in the order learned, at the end of `answer`. The first four stand in `f`, `from` there on; those after them are
-- asked for.
local known = 0
while known < 4 and f[from + known] do
  answer[#answer + 1] = f[from + known]
  known = known + 1
end
while known >= 4 do
  local more = call('HGET', KEYS[1], 'a' .. known)
  if not more then break end
  answer[#answer + 1] = more
  known = known + 1
end
