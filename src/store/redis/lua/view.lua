-- What a claim hands over. The blobs and events are looked at before anything is written.
local f = call('HMGET', KEYS[1], 'v', 'r', 's', 'ch', 'a0', 'a1', 'a2', 'a3')
local aliases
local function read_aliases()
  local answer, from = {}, 5
--< aliases
  aliases = answer
end
local function read_contact()
  if f[1] ~= SCHEMA then return unreadable(KEYS[1], 'its schema is ' .. f[1], f[1]) end
  local r, s = f[2], f[3]
--< r
--< owner
  if broken then return unreadable(KEYS[1], 'a field of it') end
  read_aliases()
end

local blobs, events
local function read_rest(limit)
  blobs = call('HMGET', KEYS[3], 's', 'm')
  if not reads(blobs[1]) then return unreadable(KEYS[3] .. ' s', 'its format or schema') end
  if not reads(blobs[2]) then return unreadable(KEYS[3] .. ' m', 'its format or schema') end
  events = call('LRANGE', KEYS[2], 0, limit)
  for n, one in ipairs(events) do
    if not match(one, '^\1\1%d+ %d+ ') then return unreadable(KEYS[2], 'entry ' .. n - 1) end
  end
end

local function view()
  local speaks = struct.pack('>c1I6', owner, paused_until)
  return {1, now, fence, nonce, speaks, failures, f[4] or '', aliases, blobs[1], blobs[2], events}
end
