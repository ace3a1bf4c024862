-- Adds `new_lines`, already made, to `h`, and trims.
if #new_lines > 0 then call('RPUSH', h, unpack(new_lines)) end
if over > 0 then
  local gone = {}
  for _, old in ipairs(call('LRANGE', h, 0, over - 1)) do
    local length, from = match(old, '^..%d+ %d+ (%d+) ()')
    if length then
      local id = sub(old, from, from + length - 1)
      local seq, state = match(old, '^..(%d+)'), call('HGET', x, id)
      -- The id may have been queued again since.
      if state and match(state, '^%d+') == seq then gone[#gone + 1] = id end
    end
  end
  call('LTRIM', h, over, -1)
  if #gone > 0 then call('HDEL', x, unpack(gone)) end
end
