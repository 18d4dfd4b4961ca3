"""What an exchange is made of, and its first moment: symbols, books, and the last trades before it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.symbols import symbol_rules
from binance_trade_agent.matching.commission import CommissionRates
from binance_trade_agent.matching.engine import MatchingEngine
from binance_trade_agent.matching.orders import PublicTrade
from binance_trade_agent.matching.snapshot import EngineSnapshot
from binance_trade_agent.simulator.clock import MarketClock
from binance_trade_agent.simulator.keys import ApiKey
from binance_trade_agent.simulator.market.feed import Feed, Print
from binance_trade_agent.simulator.market.state import Market

Preludes = Mapping[str, Sequence[Print]]


@dataclass(frozen=True, slots=True)
class ExchangeSetup:
    """What an exchange is made of.

    Attributes:
        session_id: names this market; the same market has the same id in any process.
        balances: free amounts of the main account at the start, per asset.
        is_strict: whether Binance's rule for timestamps holds, as it can where market time is the machine's wall time.
        wall_ms: the machine's wall time.
        saved: where an earlier process of this session stopped.
    """

    session_id: str
    feed: Feed
    clock: MarketClock
    balances: Mapping[str, Decimal]
    rates: CommissionRates
    keys: Sequence[ApiKey]
    is_strict: bool
    wall_ms: Callable[[], int]
    saved: EngineSnapshot | None = None


def open_symbols(engine: MatchingEngine, feed: Feed, listings: Mapping[str, Mapping[str, Any]]) -> Preludes:
    """List the feed's symbols with the books that their preludes leave; returns the preludes."""
    preludes = {symbol: feed.prelude(symbol) for symbol in feed.symbols}
    for symbol, prelude in preludes.items():
        last = prelude[-1] if prelude else None
        engine.list_symbol(symbol_rules(listings[symbol]), last.price if last else None)
        if last is not None:
            engine.apply_book(symbol, last.bids, last.asks, feed.resume_ms)
    return preludes


def record_preludes(engine: MatchingEngine, market: Market, preludes: Preludes) -> None:
    """Let the market know its last trades. A continued session goes on with the ids where it stopped."""
    for symbol, prelude in preludes.items():
        listing = engine.listings[symbol]
        listing.last_trade_id = max(market.trades_before(symbol, prelude), listing.last_trade_id - len(prelude))
        for item in prelude:
            trade_id = listing.next_trade_id()
            market.record(PublicTrade(trade_id, symbol, item.price, item.quantity, item.taker_side, item.at_ms))
