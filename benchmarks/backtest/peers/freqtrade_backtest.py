"""freqtrade's backtest with TA-Lib's RSI, on an exchange whose one market is given here, so that nothing is fetched.

Its amount is in steps of 0.00001, as Binance's; it keeps 1 % of the balance, as it does by default.
"""

# ruff: noqa: D102 (the methods are those that the framework calls)
import logging
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from tempfile import mkdtemp

import pandas as pd
import talib
from freqtrade.configuration import TimeRange
from freqtrade.enums import RunMode
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.resolvers import ExchangeResolver
from freqtrade.strategy import IStrategy

from backtest.peers.measured import Run, report
from backtest.workloads import CASH_QUOTE, FEE_FRACTION, MINUTE_MS, START_MS, Candles, Parameters

PAIR = "BTC/USDT"
MARKET = {
    "id": "BTCUSDT",
    "symbol": PAIR,
    "base": "BTC",
    "quote": "USDT",
    "active": True,
    "spot": True,
    "type": "spot",
    "linear": None,
    "inverse": None,
    "contractSize": None,
    "precision": {"amount": 0.00001, "price": 0.01},
    "limits": {
        "amount": {"min": 0.00001, "max": 9000.0},
        "price": {"min": 0.01, "max": 1e6},
        "cost": {"min": 5.0, "max": None},
    },
    "info": {},
}
SETTINGS = {
    "strategy": "RuleOfTheWorkloads",
    "strategy_path": str(Path(__file__).parent),
    "exchange": {"name": "binance", "pair_whitelist": [PAIR], "pair_blacklist": []},
    "pairlists": [{"method": "StaticPairList"}],
    "stake_currency": "USDT",
    "stake_amount": "unlimited",
    "max_open_trades": 1,
    "dry_run": True,
    "dry_run_wallet": CASH_QUOTE,
    "fee": FEE_FRACTION,
    "timeframe": "1m",
    "trading_mode": "spot",
    "entry_pricing": {"price_side": "other"},
    "exit_pricing": {"price_side": "other"},
    "dataformat_ohlcv": "feather",
    "export": "none",
}


class RuleOfTheWorkloads(IStrategy):
    """The rule of the workloads; no table of returns and no stop may take a trade out."""

    timeframe = "1m"
    minimal_roi = {"0": 1000.0}  # noqa: RUF012
    stoploss = -0.99
    startup_candle_count = 0
    order_types = {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}  # noqa: RUF012
    rule = Parameters(14, 30.0, 70.0)

    def populate_indicators(self, frame: pd.DataFrame, metadata: dict) -> pd.DataFrame:  # noqa: ARG002
        frame["rsi"] = talib.RSI(frame["close"], self.rule.period)
        return frame

    def populate_entry_trend(self, frame: pd.DataFrame, metadata: dict) -> pd.DataFrame:  # noqa: ARG002
        before = frame["rsi"].shift(1)
        frame["enter_long"] = ((before >= self.rule.low) & (frame["rsi"] < self.rule.low)).astype(int)
        return frame

    def populate_exit_trend(self, frame: pd.DataFrame, metadata: dict) -> pd.DataFrame:  # noqa: ARG002
        before = frame["rsi"].shift(1)
        frame["exit_long"] = ((before <= self.rule.high) & (frame["rsi"] > self.rule.high)).astype(int)
        return frame


Job = tuple[Backtesting, dict[str, pd.DataFrame]]


def prepare(candles: Candles, sets: Sequence[Parameters]) -> Job:  # noqa: ARG001
    folder = Path(mkdtemp(prefix="freqtrade-"))
    (folder / "data").mkdir()
    config = {
        **deepcopy(SETTINGS),
        "user_data_dir": folder,
        "datadir": folder / "data",
        "original_config": {},
        "runmode": RunMode.BACKTEST,
    }
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    exchange._markets = {PAIR: MARKET}  # noqa: SLF001
    columns = {name: getattr(candles, name) for name in ("open", "high", "low", "close", "volume")}
    frame = pd.DataFrame({"date": pd.to_datetime(candles.open_ms, unit="ms", utc=True), **columns})
    return Backtesting(config, exchange), {PAIR: frame}


def run(job: Job) -> dict:
    backtesting, data = job
    backtesting.backtest_one_strategy(backtesting.strategylist[0], data, TimeRange())
    return backtesting.all_bt_content["RuleOfTheWorkloads"]


def read(content: dict) -> list[Run]:
    trades = content["results"]

    def index(column: str) -> list[int]:
        milliseconds = trades[column].astype("datetime64[ms, UTC]").astype("int64")
        return ((milliseconds - START_MS) // MINUTE_MS).tolist()

    indices = zip(index("open_date"), index("close_date"), strict=True)
    prices = zip(trades["open_rate"].tolist(), trades["close_rate"].tolist(), strict=True)
    return [Run(float(content["final_balance"]), list(indices), list(prices))]


if __name__ == "__main__":
    logging.disable(logging.INFO)
    report("freqtrade", "RSI, crossings, orders, trades, wallet; without its report", prepare, run, read)
