"""What the exchange answers: one function an endpoint, the same for REST and for the WebSocket API.

endpoint.py says what an endpoint is; the other modules hold them by subject; catalogue.py has them all.
"""
