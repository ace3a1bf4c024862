if run then m = format('%d %d %d %d %d %d', last, taken, burst, run, lines, seen_n)
else m = format('%d %d %d - %d %d', last, taken, burst, lines, seen_n) end
