"""What assistants may change: orders in two steps within a budget of their own, and the switches."""
