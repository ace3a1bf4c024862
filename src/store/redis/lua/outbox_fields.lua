local function outbox(s)
--< s
  return not broken
end
local function s_field()
  local s
--< s_text
  return s
end
local function paced(p)
--< p
  return not broken
end
