"""Values and rules of trading. No I/O, no clock, no randomness: everything here is a function of its arguments."""
