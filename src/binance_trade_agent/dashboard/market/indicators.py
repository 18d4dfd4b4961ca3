"""How the indicators of a strategy are drawn: prices over the candles, everything else in panes of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from binance_trade_agent.cache.market_board import IndicatorsSeen

PRICE = "price"
MOST_PANES = 4
_NEAR_PRICE_FRACTION = 0.2  # an own strategy's indicator that stays so near to the closes is a price too

Values = Sequence[float | None]
Parameters = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One indicator.

    Attributes:
        pane: PRICE, or the key of a pane.
        shape: `line`, `dashed`, or `bars` (a histogram around 0).
        tone: number of its colour, so that what belongs together looks so; it never says anything alone.
    """

    name: str
    label: str
    pane: str
    shape: str
    tone: int
    values: Values


@dataclass(frozen=True, slots=True)
class Threshold:
    """A level that the strategy compares an indicator with."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Pane:
    """A pane beneath the candles."""

    key: str
    label: str
    thresholds: tuple[Threshold, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that is drawn of a strategy."""

    lines: tuple[Line, ...]
    panes: tuple[Pane, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """How an indicator of ours is drawn; `label` names the parameters that belong to it in braces."""

    label: str
    pane: str = PRICE
    shape: str = "line"
    tone: int = 0


_KNOWN = {
    "rsi": _Known("RSI {rsi_period:g}", "rsi"),
    "macd": _Known("MACD {macd_fast:g}, {macd_slow:g}", "macd"),
    "macd_signal": _Known("Signal {macd_signal:g}", "macd", "dashed", 1),
    "band_upper": _Known("Upper band {bollinger_period:g}, {bollinger_width:g}"),
    "band_middle": _Known("Middle of the bands", shape="dashed"),
    "band_lower": _Known("Lower band {bollinger_period:g}, {bollinger_width:g}"),
    "ema_fast": _Known("EMA {ema_fast:g}", tone=1),
    "ema_slow": _Known("EMA {ema_slow:g}", shape="dashed", tone=1),
    "supertrend": _Known("Supertrend {supertrend_period:g}, {supertrend_multiplier:g}", tone=2),
    "donchian_high": _Known("High of {donchian_entry:g} candles", tone=3),
    "donchian_middle": _Known("Middle of the channel", shape="dashed", tone=3),
    "donchian_low": _Known("Low of {donchian_exit:g} candles", tone=3),
    "zscore": _Known("z-score {zscore_period:g}", "zscore"),
    "score": _Known("Score of the votes", "score", "bars"),
}
# What only measures how sure a signal is, or says again what another line shows.
_NOT_DRAWN = frozenset({"close", "atr", "supertrend_atr", "supertrend_trend"})
_VOTE = "_vote"

_PANES: Mapping[str, tuple[str, Callable[[Parameters], Sequence[tuple[float, str]]]]] = {
    "rsi": ("RSI", lambda of: [(of["rsi_overbought"], "overbought"), (of["rsi_oversold"], "oversold")]),
    "macd": ("MACD", lambda _: [(0.0, "")]),
    "zscore": ("z-score", lambda of: [(of["zscore_exit"], "sell above"), (of["zscore_entry"], "buy below")]),
    "score": ("Score", lambda of: [(of["vote_threshold"], "buy"), (-of["vote_threshold"], "sell")]),
}


def drawing(seen: IndicatorsSeen, closes: Sequence[float]) -> Drawing:
    """What is drawn of `seen`.

    Args:
        seen: columns by name.
        closes: of the newest candles; tells prices from other numbers where the indicator is not one of ours.
    """
    columns = {
        name: values for name, values in seen.columns.items() if name not in _NOT_DRAWN and not name.endswith(_VOTE)
    }
    lines = [_line(name, values, seen.parameters, closes) for name, values in columns.items()]
    keys = list(dict.fromkeys(line.pane for line in lines if line.pane != PRICE))[:MOST_PANES]
    shown = tuple(line for line in lines if line.pane == PRICE or line.pane in keys)
    if "macd" in columns and "macd_signal" in columns:
        shown = (_distance(columns["macd"], columns["macd_signal"]), *shown)
    return Drawing(shown, tuple(_pane(key, seen.parameters) for key in keys))


def _line(name: str, values: Values, parameters: Parameters, closes: Sequence[float]) -> Line:
    known = _KNOWN.get(name)
    if known is None:
        words = name.replace("_", " ")
        return Line(name, words, PRICE if _is_price(values, closes) else name, "line", 1, values)
    try:
        label = known.label.format_map(parameters)
    except KeyError:  # an own strategy with a name of ours
        label = name.replace("_", " ")
    return Line(name, label, known.pane, known.shape, known.tone, values)


def _distance(macd: Values, signal: Values) -> Line:
    pairs = zip(macd, signal, strict=True)
    values = [None if one is None or other is None else one - other for one, other in pairs]
    return Line("macd_distance", "MACD − signal", "macd", "bars", 0, values)


def _pane(key: str, parameters: Parameters) -> Pane:
    label, levels = _PANES.get(key, (key.replace("_", " "), lambda _: ()))
    try:
        return Pane(key, label, tuple(Threshold(*level) for level in levels(parameters)))
    except KeyError:
        return Pane(key, label)


def _is_price(values: Values, closes: Sequence[float]) -> bool:
    known = [value for value in values if value is not None]
    if not known or not closes:
        return False
    usual = median(closes)
    return abs(median(known) - usual) <= _NEAR_PRICE_FRACTION * usual
