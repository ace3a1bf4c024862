-- Who owns the chat, as people do it. KEYS contact outbox send ARGV 3 owner and until when it is paused → 1, now, when it sends
local f = call('HMGET', KEYS[1], 'v', 's', 'ch')
if not f[1] or not f[3] then return {1, now, '-'} end
if f[1] ~= SCHEMA or not outbox(f[2]) then return unreadable(KEYS[1], 'a field of it', f[1]) end
owner, paused_until = struct.unpack('>c1I6', ARGV[3])
if not may_speak(owner, paused_until) then
  takeovers = takeovers + 1
  if not sends.sending and sends.count > 0 then
    -- A void head that was to wait must not hold back what people say.
    local head = entry(call('LINDEX', KEYS[2], 0) or '')
    if not head then return unreadable(KEYS[2], 'entry 0') end
    queues(KEYS[3])
    requeue(head)
    local queue = KEYS[3]
--< index
  end
end
call('HSET', KEYS[1], 's', s_field())
return {1, now, sends.at or '-'}
