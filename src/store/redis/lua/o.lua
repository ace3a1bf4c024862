if o then
  local a, b = match(o, '^(%S+) (%d+)$')
  if a then owner, takeovers = a, b + 0 else broken = true end
end
