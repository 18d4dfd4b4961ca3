"""How many symbols are too many to say of each what most of them say."""

FEW_SYMBOLS = 10
