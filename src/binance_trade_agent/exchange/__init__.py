"""The way to the exchange: the gateway, the user data stream, and the errors that both may raise."""
