-- What the holder of an entry is told; fields from `at` on are channel, last words and the first four aliases.
local function claimed(head, f, at)
  local aliases, n = {}, 0
  while n < 4 and f[at + 2 + n] do
    aliases[n + 1] = f[at + 2 + n]
    n = n + 1
  end
  while n >= 4 do
    local more = call('HGET', KEYS[1], 'a' .. n)
    if not more then break end
    aliases[n + 1] = more
    n = n + 1
  end
  return {head.blob, sends.fence, sends.attempts, sends.uncertain and 1 or 0, sends.doubts, sends.died and 1 or 0, f[at], f[at + 1], aliases}
end
