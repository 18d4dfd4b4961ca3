"""Results of backtests without the engine: a plain rule over made or given candles, one part of the money a symbol.

It buys with all the part has when a candle closes above the mean of the closes before it, and sells when one closes
below, or on a fall or a rise from what it paid; each at the next candle's open, for a fee of 0.1 %.
"""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal

import numpy as np

from binance_trade_agent.backtest.result import BacktestResult, BacktestSetup
from binance_trade_agent.domain.candles import INTERVAL_MS
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import Fill, Order, OrderState, OrderType, Role, Side
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.risk.state import Pause

STEP = Decimal("0.00001")
FEE = Decimal("0.001")
START_MS = 1_706_659_200_000  # 2024-01-31T00:00Z


def walk(
    symbol: str, rows: int, *, interval: str = "1h", seed: int = 1, start_ms: int = START_MS, spread: float = 0.004
) -> CandleTable:
    """Candles of a random walk from 100 on; `spread`: standard deviation of the logarithm of a candle's step."""
    generator = np.random.default_rng(seed)
    closes = np.round(100 * np.exp(np.cumsum(generator.normal(0, spread, rows))), 2)
    opens = np.concatenate(([100.0], closes[:-1]))
    reach = np.round(generator.uniform(0, 0.4, (2, rows)), 2)
    return CandleTable.with_digits(
        symbol,
        interval,
        start_ms + INTERVAL_MS[interval] * np.arange(rows, dtype=np.int64),
        open=opens,
        high=np.round(np.maximum(opens, closes) + reach[0], 2),
        low=np.round(np.minimum(opens, closes) - reach[1], 2),
        close=closes,
        volume=np.ones(rows),
    )


def made_result(candles: Mapping[str, CandleTable], *, mean_of: int = 30, **changes) -> BacktestResult:
    """A result over candles of one interval that all open at the same times; `changes` are of the result."""
    first = next(iter(candles.values()))
    opening = Decimal(10_000)
    setup = BacktestSetup(
        strategy="above_mean",
        parameters={"mean_of": str(mean_of)},
        symbols=tuple(candles),
        interval=first.interval,
        quote_asset="USDT",
        start_ms=int(first.open_times_ms[0]),
        end_ms=int(first.open_times_ms[-1]) + first.interval_ms,
        opening_quote=opening,
        settings={"RISK_STOP_LOSS_PCT": "2", "RISK_TAKE_PROFIT_PCT": "3"},
        fills="next open, fee 0.1 %",
    )
    parts = [_Part(table, opening / len(candles), mean_of) for table in candles.values()]
    orders = sorted((order for part in parts for order in part.orders), key=lambda order: order.created_ms)
    last_bids = {part.table.symbol: part.table.price(part.table.close[-1]) for part in parts}
    values = {
        "setup": setup,
        "final_quote": sum(part.quote + part.position.quantity * last_bids[part.table.symbol] for part in parts),
        "orders": orders,
        "fills": sorted((fill for part in parts for fill in part.fills), key=lambda fill: fill.traded_ms),
        "positions": {part.table.symbol: part.position for part in parts},
        "tick_times_ms": first.open_times_ms,
        "equity_quote": sum(part.quotes + part.exposure for part in parts),
        "exposure_quote": sum(part.exposure for part in parts),
        "last_bids": last_bids,
        "candles": candles,
        "outcomes": {"HELD": len(first) * len(candles) - len(orders), "EXECUTED": len(orders), "REFUSED": 7},
        "refusals": {"max_open_positions": 2, "cooldown": 5},
        "pauses": [Pause("losses_in_row", setup.start_ms, setup.start_ms + 3_600_000, "4 losses in a row")],
        "slippage_quote": Decimal("12.5"),
        "visited": len(orders),
        "ticks": len(first),
    }
    return BacktestResult(**{**values, **changes})


class _Part:
    """One symbol's part of the money."""

    def __init__(self, table: CandleTable, quote: Decimal, mean_of: int) -> None:
        self.table, self.quote = table, quote
        self.position = Position(table.symbol)
        self.orders: list[Order] = []
        self.fills: list[Fill] = []
        at = [0]
        steps = [(quote, Decimal(0))]
        paid = 0.0
        for row in _crossings(table.close, mean_of):
            if row <= at[-1]:
                continue
            if not self.position.quantity or self.orders[-1].side is Side.SELL:
                paid = float(table.open[row])
                self._trade(row, Side.BUY, None)
            else:
                sold, kind = self._exit(at[-1], row, paid)
                self._trade(sold, Side.SELL, kind)
            at.append(self.fills[-1].trade_id)
            steps.append((self.quote, self.position.quantity))
        lengths = np.diff([*at, len(table)])
        self.quotes = np.repeat([float(quote) for quote, _ in steps], lengths)
        self.exposure = np.repeat([float(held) for _, held in steps], lengths) * table.open

    def _exit(self, since: int, until: int, paid: float) -> tuple[int, ExitKind]:
        """The first candle after the entry that opens too low or too high, or the one at which the rule sells."""
        opens = self.table.open[since + 1 : until]
        beyond = np.flatnonzero((opens < 0.98 * paid) | (opens > 1.03 * paid))
        if not len(beyond):
            return until, ExitKind.STRATEGY
        row = since + 1 + int(beyond[0])
        return row, ExitKind.STOP_LOSS if self.table.open[row] < paid else ExitKind.TAKE_PROFIT

    def _trade(self, row: int, side: Side, kind: ExitKind | None) -> None:
        price = self.table.price(self.table.open[row])
        has = self.quote / price if side is Side.BUY else self.position.quantity
        quantity = has.quantize(STEP, ROUND_DOWN)
        value = quantity * price
        at_ms = int(self.table.open_times_ms[row])
        symbol, base = self.table.symbol, self.table.symbol.removesuffix("USDT")
        fee, asset = (quantity * FEE, base) if side is Side.BUY else (value * FEE, "USDT")
        order_id = f"bta-{symbol}-{len(self.orders)}"
        fill = Fill(symbol, row, row, order_id, side, price, quantity, value, fee, asset, False, at_ms)
        order = Order(
            client_order_id=order_id,
            symbol=symbol,
            side=side,
            type=OrderType.MARKET,
            quantity=quantity,
            state=OrderState.FILLED,
            created_ms=at_ms,
            updated_ms=at_ms,
            tick_ms=at_ms,
            candle_open_ms=at_ms - self.table.interval_ms,
            reference_price=price,
            executed_base=quantity,
            executed_quote=value,
            role=Role.ENTRY if side is Side.BUY else Role.EXIT,
            exit=kind,
        )
        self.orders.append(order)
        self.fills.append(fill)
        self.position = apply_fill(self.position, fill, base_asset=base, quote_asset="USDT")
        self.quote += -value if side is Side.BUY else value - fee


def _crossings(closes: np.ndarray, mean_of: int) -> list[int]:
    """Rows after a close that crossed the mean of the closes before it, upwards and downwards by turns."""
    if len(closes) <= mean_of:
        return []
    sums = np.cumsum(np.concatenate(([0.0], closes)))
    means = (sums[mean_of:] - sums[:-mean_of]) / mean_of
    above = closes[mean_of - 1 :] > means
    turns = mean_of + np.flatnonzero(above[1:] != above[:-1]) + 1
    starts_up = len(turns) and bool(above[1:][turns[0] - mean_of - 1])
    return [int(row) for row in turns[0 if starts_up else 1 :] if row < len(closes)]
