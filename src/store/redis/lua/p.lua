if p then
  local a, b = match(p, '^(%d+) (%d+)$')
  if a then empty_at, paced_until = a + 0, b + 0 else broken = true end
end
