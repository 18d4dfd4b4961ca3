"""pandas without pyarrow, which pandas loads wherever it is installed: 36 MB and a part of the start."""

import importlib
import sys


def import_pandas() -> None:
    """Import pandas as if there were no pyarrow, for a process that reads no Parquet by pandas.

    Nothing happens where one of them was imported before. Afterwards pyarrow can be imported by itself.
    """
    if "pandas" in sys.modules or "pyarrow" in sys.modules:
        return
    sys.modules["pyarrow"] = None  # type: ignore[assignment]  # by which `import pyarrow` fails
    try:
        importlib.import_module("pandas")
    finally:
        del sys.modules["pyarrow"]
