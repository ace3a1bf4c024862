-- What the holder of `head` is told at the end of an answer: the entry, its fence, the attempts, four times the doubts and 1 if
-- it is uncertain and 2 if its holder died, channel, last words, aliases… Channel and the first four aliases stand in `f`, from
-- `from` on.
local n = #answer
answer[n + 1], answer[n + 2], answer[n + 3] = head.blob, sends.fence, sends.attempts
answer[n + 4] = 4 * sends.doubts + (sends.died and 2 or 0) + (sends.uncertain and 1 or 0)
answer[n + 5], answer[n + 6] = f[from], said or false
from = from + 1
--< aliases
