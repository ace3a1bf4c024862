-- The outbox is a list of entries. What changes of an entry changes of the head only, and stands in s.
local sends = {
  at = nil, sending = false, fence = 0, sent = 0, count = 0,
  attempts = 0, uncertain = false, doubts = 0, ready = nil, died = false,
}
local empty_at, paced_until = 0, 0
