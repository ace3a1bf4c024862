-- What every step begins with: the time, and whose step it is. ARGV[1] is a test's clock, empty in production;
-- ARGV[2] the contact's 16 bytes. Times are milliseconds, '-' is none.
-- Redis does not roll a script back: before anything is written, every key that will be is looked at, by a read that ends the
-- script here if the key is of a wrong type. Only the first that is written needs none.
local call, match, sub = redis.call, string.match, string.sub
local format = string.format          -- whole numbers: %d costs a third of what Lua's own .. does
local now
if ARGV[1] == '' then
  local t = call('TIME')
  now = t[1] * 1000 + (t[2] - t[2] % 1000) / 1000
else
  now = tonumber(ARGV[1])
end
local cid = ARGV[2]
