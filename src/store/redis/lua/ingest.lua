-- Events into one mailbox, once each, and if asked the contact's lease. KEYS contact mailbox seen thread fates run active body
-- ARGV 3 channel 4 mailbox cap 5 seen for 6 seen ids 7 thread cap 8 '1' if the caller has asked for a tombstone, and then
-- 9 last seq, 10 fence and 11 sender's fence of it ('' none) 12 nonce of who answers it at once ('' nobody), 13 their lease
-- and 14 how many events they take, then for each event: its id, payload, said at, quiet, longest quiet, line ('' none, or
-- '+' and its bytes), '1' if it was seen before an erasure
-- → 1, now, when it runs, then for each event its seq, 0 (seen) or -1 (full), and if asked the claim or false
local HEAD = '>I6I2'                  -- before each id that was seen: when, and its length
local f
if ARGV[12] == '' then f = call('HMGET', KEYS[1], 'v', 'm', 'l', 'i', 'to', 'z')
else f = call('HMGET', KEYS[1], 'v', 'm', 'l', 'i', 'to', 'z', 'o', 'ch', 'a0', 'a1', 'a2', 'a3') end
if f[5] then return {4, now, f[5]} end -- it was merged into another
if ARGV[8] == '' and (not f[1] or f[6]) then return {3, now} end -- there may be a tombstone
if f[1] and f[1] ~= SCHEMA then return unreadable(KEYS[1], 'its schema is ' .. f[1]) end
if not (mailbox(f[2]) and lease(f[3])) then return unreadable(KEYS[1], 'a field of it') end
local seen = call('GETEX', KEYS[3], 'PX', ARGV[5]) or ''
if seen == '' then seen_n = 0 end
local seen_for, ids, cap, thread = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[4]), tonumber(ARGV[7])
local said = tonumber(f[4] or '')
local added, events, new_lines, outcome, heal = '', {}, {}, {1, now, '-'}, false

local function known(id)
  local all = seen .. added
  if not string.find(all, struct.pack('>I2', #id) .. id, 1, true) then return false end
  local at, n = 1, 0
  while at < #all do
    local when, length = struct.unpack(HEAD, all, at)
    if n >= seen_n - ids and when + seen_for > now and sub(all, at + 8, at + 7 + length) == id then return true end
    at, n = at + 8 + length, n + 1
  end
  return false
end

if not f[1] and ARGV[9] ~= '' then last, taken = tonumber(ARGV[9]), tonumber(ARGV[9]) end
for i = 15, #ARGV, 7 do
  local id = ARGV[i]
  if ARGV[i + 6] == '1' then
    outcome[#outcome + 1] = 0
  elseif known(id) then
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
    added = added .. struct.pack(HEAD, now, #id) .. id
    seen_n = seen_n + 1
    -- A provider's clock that runs ahead must not lengthen the window.
    local at = tonumber(ARGV[i + 2])
    if at then said = math.max(math.min(at, now), said or 0) end
    if ARGV[i + 5] ~= '' then new_lines[#new_lines + 1] = line(sub(ARGV[i + 5], 2)) end
    events[#events + 1] = event(ARGV[i + 1], tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]))
    outcome[#outcome + 1] = last
  end
end

local over = #new_lines > 0 and too_many(KEYS[4], KEYS[5], #new_lines, thread)
if #events > 0 or heal then queues(KEYS[6], KEYS[7]) end
-- Whoever brought the events answers them, if nobody else is at it and nothing waited before. What can't be read is left to
-- a claim, which says so.
local claim = false
if ARGV[12] ~= '' and f[1] and not leased and run and run <= now and #events == last - taken
  and #events <= tonumber(ARGV[14]) and owned(f[7]) then
  local blobs = redis.pcall('HMGET', KEYS[8], 's', 'm')
  if not blobs.err and reads(blobs[1]) and reads(blobs[2]) then
    local aliases = aliases_of(f, 9)
    leased, nonce, fence, claimed_after, run = true, ARGV[12], fence + 1, takeovers, now + tonumber(ARGV[13])
    claim = {now, fence, nonce, owner, failures, f[8] or '', aliases, blobs[1], blobs[2], events}
  end
end
if #events > 0 then
  call('RPUSH', KEYS[2], unpack(events))
  if seen_n > ids + math.min(ids, 64) then
    local all, at = seen .. added, 1
    for _ = 1, seen_n - ids do
      local _, length = struct.unpack(HEAD, all, at)
      at = at + 8 + length
    end
    call('SET', KEYS[3], sub(all, at), 'PX', ARGV[5])
  else
    call('APPEND', KEYS[3], added)
  end
  if #new_lines > 0 then write_lines(KEYS[4], KEYS[5], new_lines, over) end
end
if #events > 0 or heal then
  local fields = {'m', m_field()}
  if not f[1] then
    fields[3], fields[4], fields[5], fields[6] = 'v', SCHEMA, 'ch', ARGV[3]
    if ARGV[9] ~= '' then
      fence = tonumber(ARGV[10])
      for _, word in ipairs({'l', l_field(), 's', '- 0 ' .. ARGV[11] .. ' 0 0 0 0 -', 'z', '1'}) do
        fields[#fields + 1] = word
      end
    end
  end
  if claim then
    fields[#fields + 1] = 'l'
    fields[#fields + 1] = l_field()
  end
  if said then
    fields[#fields + 1] = 'i'
    fields[#fields + 1] = said
  end
  call('HSET', KEYS[1], unpack(fields))
  if run then call('ZADD', KEYS[6], run, cid) end
  if #events > 0 then call('ZADD', KEYS[7], now, cid) end
end
outcome[3] = leased and '-' or run or '-'
if ARGV[12] ~= '' then outcome[#outcome + 1] = claim end
return outcome
