-- The conversation as it is. KEYS contact mailbox body → 0 (not known), or the view
if not f[1] or f[1] == SCHEMA and not f[5] then return {0, '-'} end -- or it was merged into another
local wrong = read_contact() or read_rest(-1)
if wrong then return wrong end
return view()
