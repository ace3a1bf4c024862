if s and #s == 58 then
  local is
  is, sends.at, sends.fence, sends.sent, sends.count, sends.attempts, sends.doubts, sends.ready, empty_at, paced_until,
    owner, paused_until, takeovers = struct.unpack(SENDS, s)
  sends.sending, sends.uncertain = is % 4 >= 2, is % 8 >= 4
  if is % 2 < 1 then sends.at = nil end
  if is < 8 then sends.ready = nil end
elseif s then
  broken = true
end
