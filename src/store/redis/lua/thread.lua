-- The thread: a list of lines, and a hash of what became of messages of ours that have left the outbox:
-- id → line, rank (-1: none from the provider yet), length of the provider's id, that id, state.
local SLACK = 32                      -- so many lines over the cap are trimmed in one go

-- A line as it is kept; `id` of a message of ours.
local function line(payload, id)
  lines = lines + 1
  if not id then return BLOB .. format('%d %d - ', lines, now) .. payload end
  return BLOB .. format('%d %d %d ', lines, now, #id) .. id .. payload
end

-- How many lines are too many once `new` are added. Reads, so that a key of a wrong type is met before anything is
-- written.
local function too_many(h, x, new, cap)
  local over = call('LLEN', h) + new - cap
  if over > SLACK or over > 0 and cap < SLACK then
    call('HLEN', x)
    return over
  end
  return 0
end

-- Adds lines, already made, and trims.
local function write_lines(h, x, new, over)
  call('RPUSH', h, unpack(new))
  if over > 0 then
    local gone = {}
    for _, old in ipairs(call('LRANGE', h, 0, over - 1)) do
      local length, at = match(old, '^..%d+ %d+ (%d+) ()')
      if length then
        local id = sub(old, at, at + tonumber(length) - 1)
        local seq, state = tonumber(match(old, '^..(%d+)')), call('HGET', x, id)
        -- The id may have been queued again since.
        if state and tonumber(match(state, '^%d+')) == seq then gone[#gone + 1] = id end
      end
    end
    call('LTRIM', h, over, -1)
    if #gone > 0 then call('HDEL', x, unpack(gone)) end
  end
end
