"""The pages, a module each, and what all of them have: the bar, the commands, the login."""
