-- Small facts of the whole installation. KEYS settings ARGV 3 g (get), s (set), d (remove), w (swap) or l (list) 4 key, or
-- what the keys of a list begin with 5 value 6 w: what was seen, or empty for nothing (a kept value is never empty)
-- → 1, now, value or false; w: 1 or 0, and 5 is empty to remove; l: {key, value, …}
if ARGV[3] == 's' then call('HSET', KEYS[1], ARGV[4], ARGV[5])
elseif ARGV[3] == 'd' then call('HDEL', KEYS[1], ARGV[4])
elseif ARGV[3] == 'w' then
  local is = call('HGET', KEYS[1], ARGV[4]) or ''
  if is ~= ARGV[6] then return {1, now, is == ARGV[5] and 1 or 0} end
  if ARGV[5] == '' then call('HDEL', KEYS[1], ARGV[4]) else call('HSET', KEYS[1], ARGV[4], ARGV[5]) end
  return {1, now, 1}
elseif ARGV[3] == 'l' then
  local found = {}
  for _, key in ipairs(call('HKEYS', KEYS[1])) do
    if string.sub(key, 1, #ARGV[4]) == ARGV[4] then
      found[#found + 1] = key
      found[#found + 1] = call('HGET', KEYS[1], key)
    end
  end
  return {1, now, found}
else return {1, now, call('HGET', KEYS[1], ARGV[4])} end
return {1, now, false}
