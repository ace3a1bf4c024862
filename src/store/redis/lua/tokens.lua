-- Tokens of a number. KEYS bucket ARGV 3 wanted 4 microseconds a token 5 microseconds of a full bucket
-- → 1, now, how many, microseconds until there is one more
local micros = now * 1000
local every, full = tonumber(ARGV[4]), tonumber(ARGV[5])
local empty_at = tonumber(call('GET', KEYS[1]) or micros)
empty_at = math.min(math.max(empty_at, micros), micros + full)
local granted = math.min(tonumber(ARGV[3]), math.floor((micros + full - empty_at) / every))
empty_at = empty_at + granted * every
-- Once it is empty again it need not be kept.
call('SET', KEYS[1], string.format('%.0f', empty_at), 'PX', 1000 + math.ceil(full / 1000))
return {1, now, granted, empty_at + every - full - micros}
