"""A cache that may be lost at any time: Redis, or a dictionary in the process. It never decides anything."""
