"""Shared steps of the conformance checks about orders."""

from decimal import Decimal

import pytest
from binance.exceptions import BinanceAPIException

ASKS = [["100000", "0.1"], ["100010", "0.2"]]
BIDS = [["99990", "1"]]


async def place(client, side: str = "BUY", kind: str = "LIMIT", **params):
    """An order on BTCUSDT by python-binance."""
    if kind == "LIMIT":
        params.setdefault("timeInForce", "GTC")
    return await client.create_order(symbol="BTCUSDT", side=side, type=kind, **params)


async def balance(client, asset: str) -> tuple[Decimal, Decimal]:
    """Free and locked."""
    row = await client.get_asset_balance(asset=asset)
    return Decimal(row["free"]), Decimal(row["locked"])


async def refusal(call) -> tuple[int, int, str]:
    """HTTP status, code and text with which a call of python-binance fails."""
    with pytest.raises(BinanceAPIException) as failure:
        await call
    return failure.value.status_code, failure.value.code, failure.value.message


async def fall_through_stop(exchange) -> None:
    """The market falls to 95000, and is quoted around it (C38, C51)."""
    await exchange.control("book", symbol="BTCUSDT", bids=[["94950", "5"]], asks=[["95010", "5"]])
    await exchange.control("trade", symbol="BTCUSDT", price="95000", qty="1", taker="SELL")
