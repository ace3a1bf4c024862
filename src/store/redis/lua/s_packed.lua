s = struct.pack(SENDS,
  (sends.at and 1 or 0) + (sends.sending and 2 or 0) + (sends.uncertain and 4 or 0) + (sends.ready and 8 or 0),
  sends.at or 0, sends.fence, sends.sent, sends.count, sends.attempts, sends.doubts, sends.ready or 0, empty_at, paced_until,
  owner, paused_until, takeovers)
