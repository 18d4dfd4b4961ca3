"""NautilusTrader: bars of one minute for the strategy, a quote at each open for the exchange.

On bars alone its exchange fills a market order at the close that the strategy has just seen. So a bar is sent 1 ms
before its minute ends, an order takes 1 ms, and what it meets is a quote without spread at the next open. Its risk
engine, its cash account and its cache of orders run as they do by default, its log does not. An order that the cash
does not cover is refused, so 1 % of the cash stays idle. Its RSI begins with the first change, Wilder's with a mean;
the strategy waits until that difference has faded.
"""

# ruff: noqa: D102 (the methods are those that the framework calls)
from collections.abc import Sequence

import pandas as pd
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.models import LatencyModel
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.indicators import MovingAverageType, RelativeStrengthIndex
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.wranglers import BarDataWrangler, QuoteTickDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from backtest.peers.measured import Run, report
from backtest.workloads import CASH_QUOTE, MINUTE_MS, START_MS, Candles, Parameters

VENUE = Venue("BINANCE")
INSTRUMENT = TestInstrumentProvider.btcusdt_binance()  # its fees are the 0.1 % of the workloads
BARS = BarType.from_str(f"{INSTRUMENT.id}-1-MINUTE-LAST-EXTERNAL")
USED_FRACTION = 0.99
PERIODS_TO_SETTLE = 25  # an RSI forgets 1 / period a candle; after so many 1e-11 of its beginning is left
QUOTE_SIZE_BASE = 10_000.0


class Rule(Strategy):
    """The rule of the workloads; its RSI of Wilder goes from 0 to 1."""

    def __init__(self, parameters: Parameters) -> None:
        super().__init__()
        self.rsi = RelativeStrengthIndex(parameters.period, MovingAverageType.WILDER)
        self.low, self.high = parameters.low / 100, parameters.high / 100
        self.before = 0.5
        self.candles_to_settle = PERIODS_TO_SETTLE * parameters.period
        self.fills: list[tuple[int, float]] = []

    def on_start(self) -> None:
        self.register_indicator_for_bars(BARS, self.rsi)
        self.subscribe_bars(BARS)

    def on_bar(self, bar: Bar) -> None:
        before, now = self.before, self.rsi.value
        self.before = now
        if self.candles_to_settle:
            self.candles_to_settle -= 1
            return
        if now < self.low <= before:
            if self.portfolio.is_flat(INSTRUMENT.id):
                cash = self.portfolio.account(VENUE).balance_free(USDT).as_double()
                self._order(OrderSide.BUY, cash * USED_FRACTION / bar.close.as_double())
        elif now > self.high >= before:
            for position in self.cache.positions_open(instrument_id=INSTRUMENT.id):
                self._order(OrderSide.SELL, position.quantity.as_double())

    def _order(self, side: OrderSide, quantity: float) -> None:
        order = self.order_factory.market(INSTRUMENT.id, side, INSTRUMENT.make_qty(quantity))
        self.submit_order(order)

    def on_order_filled(self, event: OrderFilled) -> None:
        self.fills.append(((event.ts_event // 1_000_000 - START_MS) // MINUTE_MS, event.last_px.as_double()))


def prepare(candles: Candles, sets: Sequence[Parameters]) -> tuple[BacktestEngine, Rule]:
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
    engine.add_venue(
        VENUE,
        OmsType.NETTING,
        AccountType.CASH,
        [Money(CASH_QUOTE, USDT)],
        latency_model=LatencyModel(base_latency_nanos=1_000_000),
        bar_execution=False,
    )
    engine.add_instrument(INSTRUMENT)
    columns = {name: getattr(candles, name) for name in ("open", "high", "low", "close", "volume")}
    ends = pd.to_datetime(candles.open_ms + MINUTE_MS - 1, unit="ms", utc=True)
    engine.add_data(BarDataWrangler(BARS, INSTRUMENT).process(pd.DataFrame(columns, index=ends)))
    quotes = {"bid_price": candles.open, "ask_price": candles.open}
    starts = pd.to_datetime(candles.open_ms, unit="ms", utc=True)
    engine.add_data(
        QuoteTickDataWrangler(INSTRUMENT).process(pd.DataFrame(quotes, index=starts), default_volume=QUOTE_SIZE_BASE)
    )
    rule = Rule(sets[0])
    engine.add_strategy(rule)
    return engine, rule


def run(job: tuple[BacktestEngine, Rule]) -> tuple[BacktestEngine, Rule]:
    job[0].run()
    return job


def read(job: tuple[BacktestEngine, Rule]) -> list[Run]:
    engine, rule = job
    balances = engine.portfolio.account(VENUE).balances_total()
    value = balances[USDT].as_double()
    held = balances.get(INSTRUMENT.base_currency)
    if held:
        value += held.as_double() * engine.cache.bar(BARS).close.as_double()
    pairs = list(zip(rule.fills[::2], rule.fills[1::2], strict=False))
    trades = [(entry, out) for (entry, _), (out, _) in pairs]
    prices = [(bought, sold) for (_, bought), (_, sold) in pairs]
    return [Run(value, trades, prices)]


if __name__ == "__main__":
    report("nautilus_trader", "RSI, crossings, orders, risk engine, account, portfolio", prepare, run, read)
