"""freqtrade's loop on the simulated exchange, as a dry run: candles and prices by REST through ccxt, as it does."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

from binance_trade_agent.ops.clock import block_seconds, monotonic_seconds
from support.live import Exchange, ended
from support.processes import start

THROTTLE_SECONDS = 5
_RUNS = "Bot heartbeat"
_ORDER = re.compile(r"^(\S+ \S+),(\d+) - freqtrade.freqtradebot - INFO - Order dry_run_", re.MULTILINE)
STRATEGY = dedent(
    '''
    import talib
    from freqtrade.strategy import IStrategy


    class RsiLevels(IStrategy):
        """Buys below RSI 30, sells above 70, on candles of one minute."""

        timeframe = "1m"
        minimal_roi = {"0": 1000.0}
        stoploss = -0.02
        startup_candle_count = 196
        process_only_new_candles = True
        order_types = {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}

        def populate_indicators(self, frame, metadata):
            frame["rsi"] = talib.RSI(frame["close"], 14)
            return frame

        def populate_entry_trend(self, frame, metadata):
            frame["enter_long"] = (frame["rsi"] < 30).astype(int)
            return frame

        def populate_exit_trend(self, frame, metadata):
            frame["exit_long"] = (frame["rsi"] > 70).astype(int)
            return frame
    '''
)


class Freqtrade:
    """`freqtrade trade` as a process that follows so many pairs, a loop each THROTTLE_SECONDS."""

    def __init__(self, python: Path, folder: Path, exchange: Exchange, symbols: int) -> None:
        user = folder / "user_data"
        (user / "strategies").mkdir(parents=True)
        (user / "strategies" / "rsi_levels.py").write_text(STRATEGY, encoding="utf-8")
        config = folder / "config.json"
        config.write_text(json.dumps(_config(exchange.url, symbols)), encoding="utf-8")
        self._log = folder / "freqtrade.log"
        command = [
            str(python),
            "-m",
            "freqtrade",
            "trade",
            "--config",
            str(config),
            "--user-data-dir",
            str(user),
            "--strategy",
        ]
        self._process = start(
            [*command, "RsiLevels", "--logfile", str(self._log)],
            folder,
            {},
        )
        self.pid = self._process.pid
        self._began_seconds = monotonic_seconds()

    def wait_for_loop(self, seconds: float) -> float:
        """Wait until it says that it runs, after its first loop; seconds since the process began.

        Raises:
            RuntimeError: it has ended, or did not in so many seconds.
        """
        while _RUNS not in self._said():
            passed = monotonic_seconds() - self._began_seconds
            if self._process.poll() is not None or passed > seconds:
                raise RuntimeError(f"freqtrade does not run: {self._said()[-500:]}")
            block_seconds(0.05)
        return monotonic_seconds() - self._began_seconds

    def orders_ms(self) -> list[int]:
        """When it placed its dry orders, ms UTC, as its log says."""
        return [_at_ms(match) for match in _ORDER.finditer(self._said())]

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def stop(self) -> None:
        """End it."""
        ended(self._process)


def _config(url: str, symbols: int) -> dict:
    addresses = {"public": f"{url}/api/v3", "private": f"{url}/api/v3", "v1": f"{url}/api/v1", "sapi": f"{url}/sapi/v1"}
    options = {
        "defaultType": "spot",
        "fetchCurrencies": False,
        "fetchMargins": False,
        "fetchMarkets": {"types": ["spot"]},
    }
    return {
        "dry_run": True,
        "dry_run_wallet": 1_000_000,
        "stake_currency": "USDT",
        "stake_amount": 50,
        "max_open_trades": 1000,
        "trading_mode": "spot",
        "timeframe": "1m",
        "entry_pricing": {"price_side": "other", "use_order_book": False},
        "exit_pricing": {"price_side": "other", "use_order_book": False},
        "exchange": {
            "name": "binance",
            "pair_whitelist": [f"SIM{number}/USDT" for number in range(1, symbols + 1)],
            "pair_blacklist": [],
            "enable_ws": False,
            "ccxt_config": {"urls": {"api": addresses}, "options": options},
            "ccxt_async_config": {"urls": {"api": addresses}, "options": options},
        },
        "pairlists": [{"method": "StaticPairList"}],
        "internals": {"process_throttle_secs": THROTTLE_SECONDS, "heartbeat_interval": 60},
        "bot_name": "benchmark",
        "initial_state": "running",
    }


def _at_ms(match: re.Match[str]) -> int:
    """The log tells the machine's local time."""
    seconds = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").astimezone(UTC).timestamp()
    return round(1000 * seconds) + int(match[2])
