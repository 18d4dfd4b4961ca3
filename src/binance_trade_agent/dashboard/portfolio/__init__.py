"""What the Portfolio page shows: kept in memory, looked up, drawn."""
