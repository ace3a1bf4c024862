//! Which edits disturb a waiting customer.
