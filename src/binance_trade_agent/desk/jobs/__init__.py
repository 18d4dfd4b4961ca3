"""Long work of the dashboard: a command of `trade-agent` as a process of its own, followed to its end and kept."""
