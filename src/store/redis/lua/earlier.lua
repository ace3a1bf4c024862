-- What a contact of format 1 says, whose numbers stood in its hash as text:
--   m   last seq, taken seq, start of the burst, when it runs, lines, entries of the list of ids that were seen
--   l   fence, nonce, leased, takeovers at the claim, crashes, failures, rest until
--   e   fence, nonce, how (c, r<at>, p<seq>)         o   owner (b, h, p<until>), takeovers
--   s   when it can be claimed, sending, fence, fence that ended last, entries, attempts, twice the doubts and 1 if uncertain,
--       ready at
--   p   empty at, until       i   the customer's last words       z   it was erased before
local f = call('HMGET', KEYS[1], 'v', 'm', 'l', 'e', 'o', 's', 'p', 'i', 'z')
local function bytes(decimal)         -- of 64 bits, exactly: a number of Lua has 53
  local all = {}
  for n = 8, 1, -1 do
    local rest, digits = 0, {}
    for digit in string.gmatch(decimal, '%d') do
      rest = rest * 10 + digit
      digits[#digits + 1] = math.floor(rest / 256)
      rest = rest % 256
    end
    all[n] = string.char(rest)
    decimal = table.concat(digits)
  end
  return table.concat(all)
end

local a, b, c, d, e, g, h, i
a, b, c, d, e, g = match(f[2] or '', '^(%d+) (%d+) (%d+) (%S+) (%d+) (%d+)$')
if not a then return unreadable(KEYS[1], 'its field m') end
last, taken, burst, run, lines, seen_n = tonumber(a), tonumber(b), tonumber(c), tonumber(d), tonumber(e), tonumber(g)
if f[3] then
  a, b, c, d, e, g, h = match(f[3], '^(%d+) (%d+) (%d) (%d+) (%d+) (%d+) (%S+)$')
  if not a then return unreadable(KEYS[1], 'its field l') end
  fence, nonce, leased, claimed_after = tonumber(a), bytes(b), c == '1', tonumber(d)
  crashes, failures, rest = tonumber(e), tonumber(g), tonumber(h)
end
local ended
if f[4] then
  a, b, c, d = match(f[4], '^(%d+) (%d+) (%a)(%d*)$')
  if not a then return unreadable(KEYS[1], 'its field e') end
  ended = struct.pack(ENDED, tonumber(a), bytes(b), c, tonumber(d) or 0)
end
if f[5] then
  a, b, c = match(f[5], '^(%a)(%d*) (%d+)$')
  if not a then return unreadable(KEYS[1], 'its field o') end
  owner, paused_until, takeovers = a, tonumber(b) or 0, tonumber(c)
end
if f[6] then
  a, b, c, d, e, g, h, i = match(f[6], '^(%S+) (%d) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
  if not a then return unreadable(KEYS[1], 'its field s') end
  sends.at, sends.sending, sends.fence, sends.sent = tonumber(a), b == '1', tonumber(c), tonumber(d)
  sends.count, sends.attempts, sends.ready = tonumber(e), tonumber(g), tonumber(i)
  sends.uncertain, sends.doubts = h % 2 == 1, math.floor(h / 2)
end
if f[7] then
  a, b = match(f[7], '^(%d+) (%d+)$')
  if not a then return unreadable(KEYS[1], 'its field p') end
  empty_at, paced_until = tonumber(a), tonumber(b)
end
said, erased = tonumber(f[8] or ''), f[9] ~= false
