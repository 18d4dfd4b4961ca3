"""The simulated exchange: Binance's spot protocol around a matching engine, fed by a synthetic or a replayed market."""
