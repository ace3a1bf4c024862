-- The outbox: a list of entries. What changes of an entry changes of the head only, and stands in the contact's hash.
local sends = {
  at = nil, sending = false, fence = 0, sent = 0, count = 0,
  attempts = 0, uncertain = false, doubts = 0, ready = nil, died = false,
}
local function outbox(s)
  if not s then return true end
  local a, b, c, d, e, f, g, h = match(s, '^(%S+) (%d) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+)$')
  if not a then return false end
  sends.at, sends.sending, sends.fence, sends.sent = tonumber(a), b == '1', tonumber(c), tonumber(d)
  sends.count, sends.attempts, sends.ready = tonumber(e), tonumber(f), tonumber(h)
  sends.uncertain, sends.doubts = g % 2 == 1, math.floor(g / 2)
  return true
end
local function s_field()
  local at, ready = sends.at, sends.ready
  return (at and format('%d', at) or '-')
    .. format(' %d %d %d %d %d %d ', sends.sending and 1 or 0, sends.fence, sends.sent, sends.count, sends.attempts,
      2 * sends.doubts + (sends.uncertain and 1 or 0))
    .. (ready and format('%d', ready) or '-')
end

local empty_at, paced_until = 0, 0
local function paced(p)
  if not p then return true end
  local a, b = match(p, '^(%d+) (%d+)$')
  if not a then return false end
  empty_at, paced_until = tonumber(a), tonumber(b)
  return true
end
