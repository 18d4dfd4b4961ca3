"""What everything is worth now: the wallet and the positions at the best bids."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from functools import partial

from binance_trade_agent.agents.market_data import MarketDataAgent
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.ledger.books import Books, BooksView
from binance_trade_agent.ledger.records import EquityPoint


class Valuation:
    """Values the account in the quote asset that all `symbols` share."""

    def __init__(self, market_data: MarketDataAgent, books: Books, symbols: Sequence[str]) -> None:
        self._market_data = market_data
        self._books = books
        self._symbols = tuple(symbols)

    async def record(self, run_id: str, tick_ms: int, cycle: int, bids: Mapping[str, Decimal]) -> None:
        """Keep a point of the equity curve.

        Equity is the whole wallet in the traded assets, whoever bought them; positions and profits are the bot's own,
        on every symbol that is counted in the quote asset: one that is not traded any more counts at what it cost.

        Args:
            run_id: the run that it belongs to.
            tick_ms: market time of the tick, or of the start or the end.
            cycle: number of the tick, 0 before the first.
            bids: best bids that are known already, quote per base; the market is asked for the others.

        Raises:
            ExchangeError, LedgerError: no price could be had, or the point could not be written.
        """
        rules = {symbol: await self._market_data.rules(symbol) for symbol in self._symbols}
        quote = rules[self._symbols[0]].quote_asset
        known = {symbol: bids.get(symbol) or (await self._market_data.book(symbol)).bid for symbol in self._symbols}
        wallet, positions, external = await self._books.consult(partial(_holdings, quote_asset=quote))
        cash = wallet.get(quote, ZERO)
        foreign_and_own = sum((wallet.get(rules[symbol].base_asset, ZERO) * known[symbol] for symbol in known), ZERO)
        held = sum((position.worth_quote(known.get(position.symbol)) for position in positions), ZERO)
        await self._books.record_equity(
            EquityPoint(
                run_id=run_id,
                tick_ms=tick_ms,
                cycle=cycle,
                equity_quote=cash + foreign_and_own,
                cash_quote=cash,
                positions_quote=held,
                realised_pnl_quote=sum((position.realised_pnl_quote for position in positions), ZERO),
                unrealised_pnl_quote=held - sum((position.cost_quote for position in positions), ZERO),
                external_quote=external,
                quote_asset=quote,
            )
        )


def _holdings(books: BooksView, quote_asset: str) -> tuple[Mapping[str, Decimal], Collection[Position], Decimal]:
    """Wallet, positions in the quote asset, and what of it came from outside, of one moment."""
    return books.wallet(), books.positions(quote_asset).values(), books.external_sum(quote_asset)
