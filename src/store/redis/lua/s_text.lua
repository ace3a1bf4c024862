do
  local at, ready = sends.at, sends.ready
  s = format('%s %d %d %d %d %d %d %s', at and format('%d', at) or '-', sends.sending and 1 or 0, sends.fence, sends.sent,
    sends.count, sends.attempts, 2 * sends.doubts + (sends.uncertain and 1 or 0), ready and format('%d', ready) or '-')
end
