-- The head is gone; the next one is fresh.
sends.attempts, sends.uncertain, sends.doubts, sends.ready, sends.died = 0, false, 0, nil, false
