-- What the holder of an entry is told; fields from `at` on are channel, last words and the first four aliases.
local function claimed(head, f, at)
  local aliases = aliases_of(f, at + 2)
  return {head.blob, sends.fence, sends.attempts, sends.uncertain and 1 or 0, sends.doubts, sends.died and 1 or 0, f[at], f[at + 1], aliases}
end
