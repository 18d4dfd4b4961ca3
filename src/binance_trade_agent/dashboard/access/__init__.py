"""Who may see and do what: passwords, sessions, where requests may come from, what a browser may load."""
