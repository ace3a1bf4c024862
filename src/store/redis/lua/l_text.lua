l = format('%d %s %d %d %d %d %s', fence, nonce, leased and 1 or 0, claimed_after, crashes, failures, rest or '-')
