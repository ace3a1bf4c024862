local function outbox(s)
--< s
  return not broken
end
local function s_field()
  local s
--< s_packed
  return s
end
