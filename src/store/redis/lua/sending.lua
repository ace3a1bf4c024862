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

-- Looks for what can be sent now; `at(n)` gives the n-th entry. Reads only. Gives the entry or nil, how many are to be
-- dropped before it, and what is to be written of these, if any; or false if an entry can't be read.
local function choose(at)
  local dropped, fates = 0, nil
  if sends.sending then sends.uncertain, sends.died = true, true end -- its holder may have sent it before it died
  while dropped < sends.count do
    local head = at(dropped)
    if not head then return false end
    heed(head)
    if not head.void then
      requeue(head)
      if sends.at > now then return nil, dropped, fates end
      return head, dropped, fates
    end
    fates = fates or {}
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
  if sends.at then call('ZADD', key, format('%d', sends.at), cid) else call('ZREM', key, cid) end
end
