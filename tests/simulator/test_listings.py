from typing import Any

import orjson

from binance_trade_agent.simulator.listings import Listings

ENTRIES: dict[str, dict[str, Any]] = {
    symbol: {"symbol": symbol, "status": "TRADING", "permissionSets": [["SPOT"]]} for symbol in ("AUSDT", "BUSDT")
}


def shown(listings: Listings, *symbols: str, show_permission_sets: bool = True) -> list[dict[str, Any]]:
    encoded = listings.encoded(symbols, show_permission_sets=show_permission_sets)
    return orjson.loads(orjson.dumps(encoded))


def test_entries_are_shown_in_the_order_that_is_asked_for():
    listings = Listings(ENTRIES)

    assert shown(listings, "BUSDT", "AUSDT") == [ENTRIES["BUSDT"], ENTRIES["AUSDT"]]
    assert shown(listings) == []


def test_permission_sets_are_empty_when_they_are_not_wanted():
    listings = Listings(ENTRIES)

    assert shown(listings, "AUSDT", show_permission_sets=False) == [{**ENTRIES["AUSDT"], "permissionSets": []}]
    assert shown(listings, "AUSDT") == [ENTRIES["AUSDT"]]


def test_a_replaced_entry_is_shown_at_once():
    listings = Listings(ENTRIES)
    shown(listings, "AUSDT"), shown(listings, "AUSDT", show_permission_sets=False)

    listings["AUSDT"] = {**ENTRIES["AUSDT"], "status": "BREAK"}

    assert shown(listings, "AUSDT")[0]["status"] == "BREAK"
    assert shown(listings, "AUSDT", show_permission_sets=False)[0]["status"] == "BREAK"
