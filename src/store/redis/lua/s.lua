if s then
  local a, b, c, d, e, g, h, i = match(s, '^(%S+) (%d) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
  if a then
    sends.at, sends.sending, sends.fence, sends.sent = a ~= '-' and tonumber(a) or nil, b == '1', c + 0, d + 0
    sends.count, sends.attempts, sends.ready = e + 0, g + 0, i ~= '-' and tonumber(i) or nil
    sends.uncertain, sends.doubts = h % 2 == 1, (h - h % 2) / 2
  else broken = true end
end
