-- The fields as functions, for scripts that do not run in every turn: making a function costs its script more than what it does.
local function reads(blob) return not blob or sub(blob, 1, 2) == BLOB end
local function mailbox(r)
--< r
  return not broken
end
local function r_field()
  local r
--< r_packed
  return r
end
