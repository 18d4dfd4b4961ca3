"""A trading daemon for Binance spot that explains each decision and loses or doubles no order."""

__version__ = "0.1.0"
