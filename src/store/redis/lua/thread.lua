-- The thread: a list of lines, and a hash of what became of messages of ours that have left the outbox:
-- id → line, rank (-1: none from the provider yet), length of the provider's id, that id, state.

-- A line as it is kept; `id` of a message of ours.
local function line(payload, id)
  lines = lines + 1
  if not id then return BLOB .. format('%d %d - ', lines, now) .. payload end
  return BLOB .. format('%d %d %d ', lines, now, #id) .. id .. payload
end
