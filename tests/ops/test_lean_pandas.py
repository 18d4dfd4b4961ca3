"""A trader's pandas does without pyarrow, and whoever reads Parquet has it all the same."""

import subprocess
import sys

STORY = """
import sys
from binance_trade_agent.ops.lean_pandas import import_pandas
{before}
import_pandas()
import pandas as pd
print("pyarrow" in sys.modules)
frame = pd.DataFrame({{"close": [1.0, 2.0], "name": ["a", "b"]}})
assert list(frame["close"].rolling(2).mean())[1] == 1.5 and list(frame["name"]) == ["a", "b"]
import binance_trade_agent.daemon
print("pyarrow" in sys.modules)
import pyarrow
assert pyarrow.table({{"close": [1.0]}}).num_rows == 1
"""


def told(before=""):
    done = subprocess.run(
        [sys.executable, "-c", STORY.format(before=before)], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_daemon_loads_no_pyarrow_and_can_import_it_by_itself():
    assert told() == ["False", "False"]


def test_what_was_imported_before_stays():
    assert told("import pyarrow") == ["True", "True"]
