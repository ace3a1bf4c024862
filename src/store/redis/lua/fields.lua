-- The fields as functions, for scripts that do not run in every turn: making a function costs its script more than what it does.
local function reads(blob) return not blob or sub(blob, 1, 2) == BLOB end
local function mailbox(m)
--< m
  return not broken
end
local function m_field()
  local m
--< m_text
  return m
end
local function lease(l)
--< l
  return not broken
end
local function l_field()
  local l
--< l_text
  return l
end
local function owned(o)
--< o
  return not broken
end
