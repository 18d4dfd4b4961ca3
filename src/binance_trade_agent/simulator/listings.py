"""The symbols of an exchange as exchangeInfo shows them (binance-protocol.md 1.1), encoded once."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Entry = Mapping[str, Any]


class Listings(dict[str, Entry]):
    """Entries of exchangeInfo by symbol. An entry is never changed in place, only replaced."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        super().__init__(entries)
        self._encoded: dict[tuple[str, bool], bytes] = {}

    def __setitem__(self, symbol: str, entry: Entry) -> None:
        """Replace an entry."""
        super().__setitem__(symbol, entry)
        for shows_permission_sets in (True, False):
            self._encoded.pop((symbol, shows_permission_sets), None)

    def encoded(self, symbols: Iterable[str], *, show_permission_sets: bool) -> orjson.Fragment:
        """The entries of `symbols` as a JSON array, without the contents of `permissionSets` when told so."""
        return orjson.Fragment(b"[" + b",".join(self._entry(symbol, show_permission_sets) for symbol in symbols) + b"]")

    def _entry(self, symbol: str, show_permission_sets: bool) -> bytes:
        key = (symbol, show_permission_sets)
        if key not in self._encoded:
            entry = self[symbol] if show_permission_sets else {**self[symbol], "permissionSets": []}
            self._encoded[key] = orjson.dumps(entry)
        return self._encoded[key]
