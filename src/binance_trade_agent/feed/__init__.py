"""Market data without polling: candles and best prices of many symbols from a few streams, gaps filled by REST."""
