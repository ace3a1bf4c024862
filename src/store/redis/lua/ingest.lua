-- Events into one mailbox, once each. KEYS contact mailbox seen thread fates run active
-- ARGV 3 channel 4 mailbox cap 5 seen for 6 seen ids 7 thread cap, then for each event: hash of its id, payload, said at,
-- quiet, longest quiet, line ('' none, or '+' and its bytes)
-- → 1, now, when it runs, then for each event its seq, 0 (seen) or -1 (full)
local ID = 18                         -- 12 bytes of hash, 6 of time
local f = call('HMGET', KEYS[1], 'v', 'm', 'l', 'i')
if f[1] and f[1] ~= SCHEMA then return unreadable(KEYS[1], 'its schema is ' .. f[1]) end
if not (mailbox(f[2]) and lease(f[3])) then return unreadable(KEYS[1], 'a field of it') end
local seen = call('GETEX', KEYS[3], 'PX', ARGV[5]) or ''
local seen_for, ids, cap, thread = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[4]), tonumber(ARGV[7])
local said = tonumber(f[4] or '')
local added, events, new_lines, outcome, heal = '', {}, {}, {1, now, '-'}, false

local function known(id)
  local all = seen .. added
  local from, at = #all - ids * ID, string.find(all, id, 1, true)
  while at do
    if (at - 1) % ID == 0 and at > from and struct.unpack('>I6', all, at + 12) + seen_for > now then return true end
    at = string.find(all, id, at + 1, true)
  end
  return false
end

for i = 8, #ARGV, 6 do
  local id = ARGV[i]
  if known(id) then
    if last > taken then
      if not run then
        burst = now
        mark(tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]))
      end
      heal = true
    end
    outcome[#outcome + 1] = 0
  elseif last - taken >= cap then
    outcome[#outcome + 1] = -1
  else
    added = added .. id .. struct.pack('>I6', now)
    -- A provider's clock that runs ahead must not lengthen the window.
    local at = tonumber(ARGV[i + 2])
    if at then said = math.max(math.min(at, now), said or 0) end
    if ARGV[i + 5] ~= '' then new_lines[#new_lines + 1] = line(sub(ARGV[i + 5], 2)) end
    events[#events + 1] = event(ARGV[i + 1], tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]))
    outcome[#outcome + 1] = last
  end
end

local over = #new_lines > 0 and too_many(KEYS[4], KEYS[5], #new_lines, thread)
if #events > 0 then
  call('RPUSH', KEYS[2], unpack(events))
  local all = #seen + #added
  if all > (ids + math.min(ids, 64)) * ID then
    call('SET', KEYS[3], sub(seen .. added, all - ids * ID + 1), 'PX', ARGV[5])
  else
    call('APPEND', KEYS[3], added)
  end
  if #new_lines > 0 then write_lines(KEYS[4], KEYS[5], new_lines, over) end
end
if #events > 0 or heal or not f[1] then
  local fields = {'m', m_field()}
  if not f[1] then
    fields[3], fields[4], fields[5], fields[6] = 'v', SCHEMA, 'ch', ARGV[3]
  end
  if said then
    fields[#fields + 1] = 'i'
    fields[#fields + 1] = said
  end
  call('HSET', KEYS[1], unpack(fields))
  if run then call('ZADD', KEYS[6], run, cid) end
  if #events > 0 or not f[1] then call('ZADD', KEYS[7], now, cid) end
end
outcome[3] = leased and '-' or run or '-'
return outcome
