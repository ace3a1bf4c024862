--< entry

-- What an entry brings with it when it becomes the head.
local function heed(head)
  if head.doubt then sends.uncertain, sends.doubts = true, math.max(sends.doubts, 1) end
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
--< next_head
  end
  requeue(nil)
  return nil, dropped, fates
end
