"""Parameters as clients send them, nearly sound or utter nonsense: hypothesis strategies for each name."""

import re
from collections.abc import Sequence

from hypothesis import strategies as st

from binance_trade_agent.simulator.endpoints.endpoint import Endpoint
from binance_trade_agent.simulator.parameters import Parameter

NONSENSE = (
    "", " ", "0", "-1", "1e5", "1e-9", "0.1", "0.000000001", "0.00000001", "NaN", "Infinity", "null", "true", "TRUE",
    "[]", "[1,[2,{}]]", '{"a":{"b":[]}}', '["BTCUSDT","BTCUSDT"]', '["BTCUSDT"', "[" * 200, "9" * 19, "9" * 20,
    "9" * 400, "0" * 20, "1." + "0" * 20, "9" * 20 + "." + "9" * 20, "18446744073709551616", "9223372036854775807",
    "253402300800000", "1700000000000000", "\x00", "a\x00b", "\ufeff", "\u202e", "\U0001f600", "\u8fd9\u662f",
    "\u0661\u0662", "\u00b2", "btcusdt", "' OR 1=1 --", "../../etc/passwd", "%00", "%", "a&b=c", "a" * 5_000, "\n",
    "%s%n", "${jndi:ldap://x}", "<script>",
)  # fmt: skip
_SYMBOLS = ("BTCUSDT", "BTCUSDT", "BTCUSDT", "ETHUSDT", "SOLUSDT", "NOPEUSDT")
_IDS = ("1", "2", "3", "5", "0", "999999")
_TIMES = ("0", "1", "1767571200000", "1767574800000", "1767571200000000", "99999999999999")
_PRICES = ("100000", "99990", "99999.99", "100010", "50000", "150000", "0.01", "1000000", "4000", "199.99", "0")
_QUANTITIES = ("0.001", "0.5", "1", "0.00001", "2.5", "9000", "0.123456789", "1000000000", "0")

# What is sent under a name; the first pattern that the whole name matches.
_SOUND: tuple[tuple[str, Sequence[str]], ...] = (
    ("symbol", _SYMBOLS),
    ("symbols", ('["BTCUSDT"]', '["BTCUSDT","ETHUSDT"]', "[]")),
    (".*[sS]ide", ("BUY", "SELL")),
    (".*(TimeInForce|timeInForce)", ("GTC", "GTC", "IOC", "FOK")),
    ("newOrderRespType", ("ACK", "RESULT", "FULL")),
    ("cancelReplaceMode", ("STOP_ON_FAILURE", "ALLOW_FAILURE")),
    ("cancelRestrictions", ("ONLY_NEW", "ONLY_PARTIALLY_FILLED")),
    ("orderRateLimitExceededMode", ("DO_NOTHING", "CANCEL_ONLY")),
    ("selfTradePreventionMode", ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")),
    ("symbolStatus", ("TRADING", "HALT", "BREAK")),
    ("interval", ("1s", "1m", "5m", "1h", "1d", "3d", "1w", "1M")),
    ("timeZone", ("0", "8", "-12", "+14:00", "5:30", "-0:00")),
    ("windowSize", ("1m", "59m", "1h", "23h", "1d", "7d")),
    ("permissions", ("SPOT", '["SPOT","MARGIN"]')),
    (".*[pP]egPriceType", ("PRIMARY_PEG", "MARKET_PEG")),
    (".*[tT]ype", ("LIMIT", "LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT",
                   "TAKE_PROFIT_LIMIT", "FULL", "MINI", "1000000")),
    (".*[pP]rice", _PRICES),
    (".*([qQ]uantity|Qty)", _QUANTITIES),
    (".*[dD]elta", ("1", "100", "2000")),
    (".*([oO]rderId|[tT]radeId|[lL]istId|fromId|[mM]atchId|subscriptionId)", _IDS),
    (".*(Client[a-zA-Z]*Id|ClientOrderId|CancelOrderId)", ("mine", "mine-2", "other")),
    (".*Time", _TIMES),
    ("limit", ("1", "5", "100", "1000", "5000", "99999")),
    ("recvWindow", ("5000", "60000", "60001", "0.001")),
)  # fmt: skip

_NONSENSE = st.one_of(st.sampled_from(NONSENSE), st.text(max_size=12))


def sound_values(name: str) -> Sequence[str]:
    """Values that a parameter of this name may well have."""
    return next((values for pattern, values in _SOUND if re.fullmatch(pattern, name)), ("1", "true", "abc"))


def values(name: str) -> st.SearchStrategy[str]:
    """Sound values for a name, more often than not, else nonsense."""
    sound = st.sampled_from(sound_values(name))
    return st.one_of(sound, sound, sound, sound, sound, sound, sound, _NONSENSE)


def own_parameters(endpoint: Endpoint) -> st.SearchStrategy[dict[str, str]]:
    """Parameters of an endpoint beside those of its signature: seldom without one that is required."""
    return _parameters(endpoint.own_parameters)


def _parameters(known: Sequence[Parameter]) -> st.SearchStrategy[dict[str, str]]:
    required = {each.name: values(each.name) for each in known if each.required}
    optional = {each.name: values(each.name) for each in known if not each.required}
    sound = st.fixed_dictionaries(required, optional=optional)
    loose = st.fixed_dictionaries({}, optional=required | optional)
    strange = st.dictionaries(st.one_of(st.sampled_from([each.name for each in known] or ["a"]), st.text(max_size=5)),
                              _NONSENSE, max_size=4)  # fmt: skip
    return st.one_of(sound, sound, sound, sound, sound, sound, loose, strange)
