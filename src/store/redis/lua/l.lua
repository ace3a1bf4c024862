if l then
  local a, b, c, d, e, g, h = match(l, '^(%d+) (%d+) (%d) (%d+) (%d+) (%d+) (%S+)$')
  if a then
    fence, nonce, leased, claimed_after, crashes, failures = a + 0, b, c == '1', d + 0, e + 0, g + 0
    rest = h ~= '-' and tonumber(h) or nil
  else broken = true end
end
