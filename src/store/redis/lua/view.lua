-- What a claim hands over. The blobs and events are looked at before anything is written.
local FIELDS = {'v', 'm', 'l', 'o', 'ch', 'a0', 'a1', 'a2', 'a3'}
local f = call('HMGET', KEYS[1], unpack(FIELDS))
local aliases
local function read_contact()
  if f[1] ~= SCHEMA then return unreadable(KEYS[1], 'its schema is ' .. f[1]) end
  if not (mailbox(f[2]) and lease(f[3]) and owned(f[4])) then return unreadable(KEYS[1], 'a field of it') end
  local answer, from = {}, 6
--< aliases
  aliases = answer
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
  return {1, now, fence, nonce, owner, failures, f[5] or '', aliases, blobs[1], blobs[2], events}
end
