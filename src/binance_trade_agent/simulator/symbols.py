"""Symbols that the simulated exchange lists: their entries in exchangeInfo, with plausible filters for any name."""

import hashlib
import re
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.nearest import nearest

# In US dollars, for start prices and for filters in proportion; those of others are derived from the asset's name.
_KNOWN_PRICES = {"BTC": Decimal(65_000), "ETH": Decimal(3_200), "BNB": Decimal(600), "SOL": Decimal(150)}
# A synthetic market has assets that people know, so that a slip of the pen is not traded; letters with a number behind
# them (SIM1, SYM001) are for markets of many symbols.
_OTHER_ASSETS = frozenset(
    asset
    for row in (
        "AAVE ADA ALGO APT ARB ATOM AVAX BCH CAKE CRV DOGE DOT DYDX EGLD ENA ENS ETC ETHFI FET FIL FLOKI GALA GRT HBAR",
        "ICP IMX INJ JUP LDO LINK LTC MANA NEAR ONDO OP PAXG PENDLE PEPE POL PYTH RENDER RUNE SAND SEI SHIB STX SUI",
        "THETA TIA TON TRX UNI VET WIF WLD XLM XRP XTZ ZEC",
    )
    for asset in row.split()
)
_NUMBERED_ASSET = re.compile(r"[A-Z]{1,8}[0-9]{1,4}")
_QUOTE_ASSETS = {"USDT": Decimal(1), "BTC": _KNOWN_PRICES["BTC"]}

# Tick, highest price, step (also the least quantity), LOT_SIZE and MARKET_LOT_SIZE maxima: binance-protocol.md 3.
_KNOWN_GRIDS = {
    "BTCUSDT": ("0.01", "1000000", "0.00001", "9000", "100"),
    "ETHUSDT": ("0.01", "1000000", "0.0001", "9000", "2000"),
    "BNBUSDT": ("0.01", "100000", "0.001", "900000", "5000"),
    "SOLUSDT": ("0.01", "100000", "0.001", "90000", "20000"),
}
# What the matching engine does; the flags below are false for what it does not do.
_ORDER_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)


class UnknownSymbolError(ValueError):
    """A name that cannot be a symbol here; the message is one sentence with what is allowed."""


def split_symbol(symbol: str) -> tuple[str, str]:
    """Base and quote asset of `symbol`.

    Raises:
        UnknownSymbolError: the name is not upper-case letters and digits, or does not end in a known quote asset.
    """
    for quote in _QUOTE_ASSETS:
        base = symbol.removesuffix(quote)
        if base and base != symbol and symbol.isalnum() and symbol == symbol.upper():
            return base, quote
    near = nearest(symbol, _KNOWN_GRIDS)
    hint = f"; did you mean {near}?" if near else ""
    raise UnknownSymbolError(
        f"symbol {symbol!r} is unknown: a symbol is an asset in upper case and one of the quote assets "
        f"{' or '.join(_QUOTE_ASSETS)}, such as BTCUSDT{hint}"
    )


def check_synthetic(symbol: str) -> None:
    """Refuse a symbol that no synthetic market has.

    Raises:
        UnknownSymbolError: see `split_symbol`, or its base asset is none that is known here.
    """
    base, _ = split_symbol(symbol)
    known = _KNOWN_PRICES.keys() | _OTHER_ASSETS
    if base in known or _NUMBERED_ASSET.fullmatch(base):
        return
    near = nearest(symbol, sorted(asset + quote for asset in known for quote in _QUOTE_ASSETS if asset != quote))
    hint = f"; the nearest that it has is {near}" if near else ""
    raise UnknownSymbolError(
        f"symbol {symbol} is unknown to the synthetic market, which has well-known coins and letters with a number, "
        f"such as SIM1USDT{hint}"
    )


def typical_price(symbol: str) -> Decimal:
    """A plausible price for `symbol`, in its quote asset; the same for the same name always.

    Raises:
        UnknownSymbolError: see `split_symbol`.
    """
    base, quote = split_symbol(symbol)
    dollars = _KNOWN_PRICES.get(base) or _price_from_name(base)
    price = dollars / _QUOTE_ASSETS[quote]
    return price.quantize(_power_of_ten(min(max(price.adjusted() - 3, -8), 0)))


def typical_level(quote_asset: str) -> Decimal:
    """The most that one level of the outside book is worth, in the quote asset: 40,000 dollars."""
    return 40_000 / _QUOTE_ASSETS[quote_asset]


def minute_turnover(quote_asset: str) -> Decimal:
    """What a symbol usually trades in a minute, in the quote asset: 1,200,000 dollars."""
    return 1_200_000 / _QUOTE_ASSETS[quote_asset]


def listing(symbol: str, price: Decimal | None = None) -> dict[str, Any]:
    """The symbol's entry in exchangeInfo (binance-protocol.md 1.1), its filters in the order of section 3.

    Args:
        symbol: upper-case name.
        price: about what the symbol trades at, in quote asset; sets the grid of a symbol that is not tabled.

    Raises:
        UnknownSymbolError: see `split_symbol`.
    """
    base, quote = split_symbol(symbol)
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(_ORDER_TYPES),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(quote, _KNOWN_GRIDS.get(symbol) or _grid(price or typical_price(symbol), quote)),
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def _filters(quote: str, grid: tuple[str, str, str, str, str]) -> list[dict[str, Any]]:
    tick, max_price, step, max_quantity, market_max_quantity = map(_amount, grid)
    min_notional = "5" if quote == "USDT" else "0.0001"
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": max_price, "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": max_quantity, "stepSize": step},
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": _amount("0"),
            "maxQty": market_max_quantity,
            "stepSize": _amount("0"),
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": _amount(min_notional),
            "applyMinToMarket": True,
            "maxNotional": _amount("9000000"),
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]


def _grid(price: Decimal, quote: str) -> tuple[str, str, str, str, str]:
    """A grid in proportion to the price: five digits of it or more, and steps worth about a hundredth of a dollar."""
    tick = _power_of_ten(min(max(price.adjusted() - 4, -8), -2))
    dollars = price * _QUOTE_ASSETS[quote]
    step = _power_of_ten(min(max(-dollars.adjusted() - 2, -5), 0))
    max_quantity = step * 900_000_000
    return str(tick), str(tick * 100_000_000), str(step), str(max_quantity), str(max_quantity / 10)


def _price_from_name(asset: str) -> Decimal:
    """0.01 to 999 dollars, the digits and the magnitude taken from a hash of the name."""
    digest = int.from_bytes(hashlib.blake2b(asset.encode(), digest_size=8).digest())
    return (100 + digest % 900) * _power_of_ten(digest // 900 % 5 - 4)


def _power_of_ten(exponent: int) -> Decimal:
    return Decimal(1).scaleb(exponent)


def _amount(text: str) -> str:
    return f"{Decimal(text):.8f}"
