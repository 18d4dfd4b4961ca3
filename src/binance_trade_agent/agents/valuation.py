"""What everything is worth now: the wallet and the positions at the best bids."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from binance_trade_agent.agents.market_data import MarketDataAgent
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import EquityPoint


class Valuation:
    """Values the account in the quote asset that all `symbols` share."""

    def __init__(self, market_data: MarketDataAgent, ledger: Ledger, symbols: Sequence[str]) -> None:
        self._market_data = market_data
        self._ledger = ledger
        self._symbols = tuple(symbols)

    async def record(self, run_id: str, tick_ms: int, cycle: int, bids: Mapping[str, Decimal]) -> None:
        """Keep a point of the equity curve.

        Equity is the whole wallet in the traded assets, whoever bought them; positions and profits are the bot's own.

        Args:
            run_id: the run that it belongs to.
            tick_ms: market time of the tick, or of the start or the end.
            cycle: number of the tick, 0 before the first.
            bids: best bids that are known already, quote per base; the market is asked for the others.

        Raises:
            ExchangeError, LedgerError: no price could be had, or the point could not be written.
        """
        wallet = await self._ledger.wallet()
        positions = await self._ledger.positions()
        equity = held = realised = unrealised = cash = ZERO
        for symbol in self._symbols:
            rules = await self._market_data.rules(symbol)
            bid = bids[symbol] if symbol in bids else (await self._market_data.book(symbol)).bid
            cash = wallet.get(rules.quote_asset, ZERO)
            equity += wallet.get(rules.base_asset, ZERO) * bid
            if position := positions.get(symbol):
                held += position.quantity * bid
                realised += position.realised_pnl_quote
                unrealised += position.unrealised_pnl_quote(bid)
        await self._ledger.record_equity(
            EquityPoint(
                run_id=run_id,
                tick_ms=tick_ms,
                cycle=cycle,
                equity_quote=cash + equity,
                cash_quote=cash,
                positions_quote=held,
                realised_pnl_quote=realised,
                unrealised_pnl_quote=unrealised,
            )
        )
