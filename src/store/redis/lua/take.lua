-- Marks the head as being sent.
sends.sending, sends.fence, sends.attempts = true, sends.fence + 1, sends.attempts + 1
sends.at = now + lease_for
