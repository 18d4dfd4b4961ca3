"""The market of a real Binance, relayed: its public prices, trades and books, with orders matched here."""
