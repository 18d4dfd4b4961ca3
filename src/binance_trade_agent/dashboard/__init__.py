"""The dashboard: seven pages on port 8050. It reads the ledger, the market board and what the trader says of itself.

It never talks to the exchange: what a person wants is placed as a command, which the trader carries out and answers.
"""
