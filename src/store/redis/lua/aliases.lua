-- The aliases in the order learned. `f` has the first four from `at` on; those after them are asked for.
local function aliases_of(f, at)
  local aliases, n = {}, 0
  while n < 4 and f[at + n] do
    aliases[n + 1] = f[at + n]
    n = n + 1
  end
  while n >= 4 do
    local more = call('HGET', KEYS[1], 'a' .. n)
    if not more then break end
    aliases[n + 1] = more
    n = n + 1
  end
  return aliases
end
