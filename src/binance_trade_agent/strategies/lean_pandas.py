"""pandas for a trader that runs for a year: without pyarrow, which it imports wherever that is installed.

pyarrow is there for recorded candles in Parquet files, which a trader does not read, and pandas needs it for columns of
text only: ours are numbers. It is 41 of the 177 MB that a trader had after half an hour with two symbols.
"""

import sys


def import_pandas() -> None:
    """Import pandas once, as if pyarrow were not installed; whoever imports pyarrow later gets it."""
    if "pandas" in sys.modules or "pyarrow" in sys.modules:
        return
    sys.modules["pyarrow"] = None  # type: ignore[assignment]  # lets an import of it fail
    try:
        import pandas as pd  # noqa: F401
    finally:
        del sys.modules["pyarrow"]
