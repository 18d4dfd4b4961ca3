"""Market streams at `/ws` and `/stream`: connections and their subscriptions (hub.py), and what each stream sends.

names.py takes a stream's name apart and catalogue.py finds its channel: trades.py, klines.py, books.py, tickers.py.
schedule.py asks the channels when it is time (channel.py has the rules), stream.py passes their messages on.
"""

from binance_trade_agent.simulator.streams.hub import Streams

__all__ = ["Streams"]
