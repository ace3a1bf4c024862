-- Who owns the chat, as people do it. KEYS contact outbox send ARGV 3 owner → 1, now, when it sends
local f = call('HMGET', KEYS[1], 'v', 'o', 's', 'p', 'ch')
if not f[1] or f[1] == SCHEMA and not f[5] then return {1, now, '-'} end
if f[1] ~= SCHEMA or not (owned(f[2]) and outbox(f[3]) and paced(f[4])) then return unreadable(KEYS[1], 'a field of it') end
owner = ARGV[3]
if not may_speak(owner) then
  takeovers = takeovers + 1
  if not sends.sending and sends.count > 0 then
    -- A void head that was to wait must not hold back what people say.
    local head = entry(call('LINDEX', KEYS[2], 0) or '')
    if not head then return unreadable(KEYS[2], 'entry 0') end
    queues(KEYS[3])
    requeue(head)
    call('HSET', KEYS[1], 's', s_field())
    local queue = KEYS[3]
--< index
  end
end
call('HSET', KEYS[1], 'o', owner .. ' ' .. takeovers)
return {1, now, sends.at or '-'}
