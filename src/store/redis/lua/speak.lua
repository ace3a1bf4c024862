-- Whether the bot may speak while this one owns the chat.
local function may_speak(who)
  return who == 'b' or (sub(who, 1, 1) == 'p' and tonumber(sub(who, 2)) <= now)
end
