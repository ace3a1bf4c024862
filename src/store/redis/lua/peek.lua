-- The conversation as it is. KEYS contact mailbox body → 0 (not known), or the view
if not f[1] or not f[4] then return {0, '-'} end -- or it was merged into another
local wrong
if f[1] == '1' then -- it is read as it is: nothing is written here
  do
--< earlier
  end
  read_aliases()
else
  wrong = read_contact()
end
wrong = wrong or read_rest(-1)
if wrong then return wrong end
return view()
