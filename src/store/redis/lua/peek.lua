-- The conversation as it is. KEYS contact mailbox body → 0 (not known), or the view
if not f[1] then return {0, '-'} end
local wrong = read_contact() or read_rest(-1)
if wrong then return wrong end
return view()
