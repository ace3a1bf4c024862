if m then
  local a, b, c, d, e, g = match(m, '^(%d+) (%d+) (%d+) (%S+) (%d+) (%d+)$')
  if a then last, taken, burst, run, lines, seen_n = a + 0, b + 0, c + 0, d ~= '-' and tonumber(d) or nil, e + 0, g + 0
  else broken = true end
end
