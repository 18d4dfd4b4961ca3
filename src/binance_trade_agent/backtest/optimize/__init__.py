"""Search for the parameters of a strategy, and for signs that what was found is luck."""
