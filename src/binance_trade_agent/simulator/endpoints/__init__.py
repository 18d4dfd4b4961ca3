"""What the exchange answers: one function an endpoint, the same for REST and for the WebSocket API.

endpoint.py says what an endpoint is; the other modules hold them by subject, those of orders in
orders/; catalogue.py has them all.
"""
