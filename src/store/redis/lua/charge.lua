-- One message more has left: `every` milliseconds go by for each, and no more than `reach` are borrowed. No further ahead than a
-- full bucket: a clock that was set back must not silence anybody for an hour.
empty_at = math.min(math.max(empty_at, now), now + reach) + every
paced_until = math.max(empty_at - reach, 0)
