-- What waits of one contact. KEYS contact
-- → 1, now, events, when it runs if nobody has it, messages, when it sends if nobody does
local f = call('HMGET', KEYS[1], 'v', 'r', 's')
local function earlier()
--< earlier
end
local wrong
if f[1] == '1' then wrong = earlier() else wrong = not (mailbox(f[2]) and outbox(f[3])) end
if wrong then return {1, now, 0, '-', 0, '-'} end
return {
  1, now, last - taken, not leased and run or '-', sends.count, not sends.sending and sends.at or '-',
}
