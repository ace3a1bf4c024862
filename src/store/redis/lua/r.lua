if r and #r == 64 then
  local is
  is, last, taken, burst, run, lines, seen_n, fence, nonce, claimed_after, crashes, failures, rest, said = struct.unpack(TURN, r)
  leased, erased = is % 2 == 1, is >= 16
  if is % 4 < 2 then run = nil end
  if is % 8 < 4 then rest = nil end
  if is % 16 < 8 then said = nil end
elseif r then
  broken = true
end
