"""What the trader tells Prometheus: names and meanings, where the numbers come from, and the port that serves them."""
