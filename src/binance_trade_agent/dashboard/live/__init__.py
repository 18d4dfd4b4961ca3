"""What keeps open pages up to date: one WebSocket a tab."""
