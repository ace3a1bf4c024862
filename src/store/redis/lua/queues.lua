-- Looks at queues before anything is written.
local function queues(...)
  for _, key in ipairs({...}) do call('ZCARD', key) end
end
