-- sender, takeovers after which the bot may no longer say it, n or r, not before or ready at, line, length of the id.
-- N or R: it was the head of a contact that was merged into this one, and may have been sent before.
local ENTRY = '^\1\1(%a) (%-?%d+) (%a)(%d+) (%d+) (%d+) ()'
local function entry(blob)
  local sender, after, kind, ready, seq, length, from = match(blob, ENTRY)
  if not sender then return nil end
  return {
    void = sender == 'b' and after + 0 < takeovers, ready = ready + 0, line = seq,
    id = sub(blob, from, from + length - 1), blob = blob, doubt = kind == 'N' or kind == 'R',
  }
end
