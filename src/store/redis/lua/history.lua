-- The latest lines of the thread and what became of messages of ours. KEYS contact thread fates outbox
-- ARGV 3 how many at most 4 thread cap → 1, now, lines, then id and state for each message in them
local f = call('HMGET', KEYS[1], 'v', 'r', 's')
if not f[1] then return {1, now, {}} end
if f[1] == '1' then -- it is read as it is: nothing is written here
--< earlier
elseif f[1] ~= SCHEMA or not (mailbox(f[2]) and outbox(f[3])) then
  return unreadable(KEYS[1], 'a field of it')
end
local found = call('LRANGE', KEYS[2], -math.min(tonumber(ARGV[3]), tonumber(ARGV[4])), -1)
local ids, seqs, states = {}, {}, {}
for n, one in ipairs(found) do
  local seq, length, from = match(one, '^\1\1(%d+) %d+ (%S+) ()')
  if not seq then return unreadable(KEYS[2], 'line ' .. n - 1 - #found) end
  if length ~= '-' then
    local id = sub(one, from, from + tonumber(length) - 1)
    ids[#ids + 1] = id
    seqs[#seqs + 1] = tonumber(seq)
  end
end
if #ids == 0 then return {1, now, found} end
local sending
if sends.sending then
  local head = entry(call('LINDEX', KEYS[4], 0) or '')
  sending = head and tonumber(head.line)
end
local answer = {1, now, found}
for n, record in ipairs(call('HMGET', KEYS[3], unpack(ids))) do
  local seq, _, _, state = fate(record, tonumber(ARGV[4]))
  if seqs[n] == sending then state = 'sending' elseif seq ~= seqs[n] then state = 'queued' end
  answer[#answer + 1] = ids[n]
  answer[#answer + 1] = state
end
return answer
