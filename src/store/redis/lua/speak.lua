-- Whether the bot may speak while this one owns the chat.
local function may_speak(who, paused)
  return who == 'b' or who == 'p' and paused <= now
end
