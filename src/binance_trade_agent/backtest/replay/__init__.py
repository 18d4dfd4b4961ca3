"""A recorded run, decided again by the same agents: `trade-agent replay`."""
