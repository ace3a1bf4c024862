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

-- One message more has left. `every` and `reach` are the words of a pace, or empty.
local function charge(every, reach)
  if every == '' then return end
  every, reach = tonumber(every), tonumber(reach)
  -- No further ahead than a full bucket: a clock that was set back must not silence anybody for an hour.
  empty_at = math.min(math.max(empty_at, now), now + reach) + every
  paced_until = math.max(empty_at - reach, 0)
end

-- sender, takeovers after which the bot may no longer say it, n or r, not before or ready at, line, length of the id.
-- N or R: it was the head of a contact that was merged into this one, and may have been sent before.
local ENTRY = '^\1\1(%a) (%-?%d+) (%a)(%d+) (%d+) (%d+) ()'
local function entry(blob)
  local sender, after, kind, ready, seq, length, at = match(blob, ENTRY)
  if not sender then return nil end
  return {
    void = sender == 'b' and tonumber(after) < takeovers, ready = tonumber(ready), line = seq,
    id = sub(blob, at, at + tonumber(length) - 1), blob = blob, doubt = kind == 'N' or kind == 'R',
  }
end

-- What an entry brings with it when it becomes the head.
local function heed(head)
  if head.doubt then sends.uncertain, sends.doubts = true, math.max(sends.doubts, 1) end
end

-- The head is gone; the next one is fresh.
local function next_head()
  sends.attempts, sends.uncertain, sends.doubts, sends.ready, sends.died = 0, false, 0, nil, false
end

-- When nobody holds the outbox: sets when its head, given or nil, can be claimed.
local function requeue(head)
  sends.sending = false
  if not head then
    sends.at = nil
    return
  end
  heed(head)
  if head.void then sends.at = now
  else sends.at = math.max(sends.ready or head.ready, paced_until, now) end
end

-- Looks for what can be sent now; `at(n)` gives the n-th entry's bytes. Reads only. Gives the entry or nil, how many are
-- to be dropped before it, and what is to be written of these; or false if an entry can't be read.
local function choose(at)
  local dropped, fates = 0, {}
  if sends.sending then sends.uncertain, sends.died = true, true end -- its holder may have sent it before it died
  while dropped < sends.count do
    local head = entry(at(dropped) or '')
    if not head then return false end
    heed(head)
    if not head.void then
      requeue(head)
      if sends.at > now then return nil, dropped, fates end
      return head, dropped, fates
    end
    fates[#fates + 1] = head.id
    fates[#fates + 1] = head.line .. ' -1 0  dropped: a person took over' .. (sends.uncertain and '; it may have been sent before' or '')
    dropped = dropped + 1
    next_head()
  end
  requeue(nil)
  return nil, dropped, fates
end

-- Marks the head as being sent.
local function take(lease_ms)
  sends.sending, sends.fence, sends.attempts = true, sends.fence + 1, sends.attempts + 1
  sends.at = now + lease_ms
end

local function index(key)
  if sends.at then call('ZADD', key, sends.at, cid) else call('ZREM', key, cid) end
end
