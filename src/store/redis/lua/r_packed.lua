r = struct.pack(TURN, (leased and 1 or 0) + (run and 2 or 0) + (rest and 4 or 0) + (said and 8 or 0) + (erased and 16 or 0),
  last, taken, burst, run or 0, lines, seen_n, fence, nonce, claimed_after, crashes, failures, rest or 0, said or 0)
