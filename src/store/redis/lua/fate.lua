-- What is known of a message that left the outbox, while its line is in the thread: line, rank, provider's id, state.
local function fate(record, cap)
  if not record then return nil end
  local seq, rank, length, at = match(record, '^(%d+) (%-?%d+) (%d+) ()')
  seq = tonumber(seq)
  if not seq or seq <= lines - cap then return nil end
  local past = at + tonumber(length)
  return seq, tonumber(rank), sub(record, at, past - 1), sub(record, past + 1)
end
