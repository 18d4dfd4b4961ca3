"""The market that the simulated exchange trades in: where prices come from (feeds), and what the public sees of them."""
