//! A program holds together: whatever it says leads somewhere, and nothing strands a customer.
