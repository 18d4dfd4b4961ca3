"""pandas without pyarrow: what a trader imports, and that it signals the same."""

import subprocess
import sys

PROGRAM = """
import sys
{prepare}
from tests.domain.test_candle_series import candles
from binance_trade_agent.strategies.registry import create_strategy
signals = [create_strategy(name).evaluate("BTCUSDT", candles(400)) for name in ("combined_default", "supertrend")]
print([(signal.action, signal.indicators, signal.reason) for signal in signals])
print("pyarrow" in sys.modules)
import pyarrow
print(pyarrow.array([1, 2]).to_pylist())
"""


def said(prepare: str) -> list[str]:
    program = PROGRAM.format(prepare=prepare)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def test_signals_are_the_same_and_pyarrow_is_there_for_who_asks_for_it():
    lean = said("from binance_trade_agent.strategies.lean_pandas import import_pandas; import_pandas()")
    usual = said("import pandas")
    assert lean[0] == usual[0]
    assert (lean[1], usual[1]) == ("False", "True")
    assert lean[2] == "[1, 2]"
