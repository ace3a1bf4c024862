-- Who owns the chat, of s, where nothing else of it is asked for.
if s and #s == 58 then owner, paused_until, takeovers = struct.unpack('>c1I6I4', s, 48)
elseif s then broken = true end
