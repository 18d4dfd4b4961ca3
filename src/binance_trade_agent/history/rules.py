"""What an exchange allowed on a symbol: the filters that `data download` keeps beside the candles."""

import json
import os
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from binance_trade_agent.domain.symbols import SymbolRules, symbol_rules
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.simulator.symbols import UnknownSymbolError, listing

LISTINGS_NAME = "exchangeInfo.json"


def rules_of(folder: Path | None, symbol: str, first_price: Decimal) -> SymbolRules:
    """A symbol's filters from the folder's `exchangeInfo.json`; the simulator's typical ones where it lists none.

    Args:
        folder: the data folder; None takes typical filters.
        symbol: upper-case name.
        first_price: about what the symbol traded at, in quote asset; typical filters are in proportion to it.

    Raises:
        HistoryError: the file cannot be read, or it lists no such symbol and nothing typical is known of it.
    """
    entry = read_listings(folder).get(symbol) if folder is not None else None
    try:
        return symbol_rules(entry or listing(symbol, first_price))
    except UnknownSymbolError as error:
        raise HistoryError(f"no filters are known: {error}") from None
    except (LookupError, TypeError, ArithmeticError) as error:
        raise HistoryError(f"{folder}/{LISTINGS_NAME}: the filters of {symbol} are broken: {error!r}") from None


def read_listings(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Entries of GET exchangeInfo's `symbols` by name; none when the folder has no such file.

    Raises:
        HistoryError: the file is not what exchangeInfo answers.
    """
    path = folder / LISTINGS_NAME
    try:
        return {entry["symbol"]: entry for entry in json.loads(path.read_bytes())["symbols"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise HistoryError(f"{path} is not an answer of GET exchangeInfo: {error}") from None


def write_listings(folder: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Add `entries` to those that the folder has, each in the place of an older one of its symbol.

    Raises:
        HistoryError: the file cannot be read or written.
    """
    listings = read_listings(folder) | {entry["symbol"]: entry for entry in entries}
    path = folder / LISTINGS_NAME
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"symbols": list(listings.values())}, indent=1))
        draft.replace(path)
    except OSError as failure:
        raise HistoryError(f"{path} cannot be written: {failure.strerror}") from None
