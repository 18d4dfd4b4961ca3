"""The desk of those who look and ask: what pages and assistants read from, and what they leave there for the trader.

It talks neither to the exchange nor to the agents.
"""
