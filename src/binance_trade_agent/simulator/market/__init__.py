"""The market of the simulated exchange: where prices come from (feeds), and what the public sees of them."""
