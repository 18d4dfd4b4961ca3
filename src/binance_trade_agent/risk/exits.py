"""When a position is left: its stop, its target, and how long it may be held."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.values import Value

# A stop that needs a limit price gets one so far below its trigger that a falling market still takes it.
STOP_LIMIT_FRACTION = Decimal("0.98")
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class ExitSettings:
    """Exits as in the settings reference (RISK_...): percentages of the price, multiples of the ATR; 0 is none.

    Attributes:
        target_table: minutes in the position by the profit in percent at which it is left from then on.
        closes_when_refused: what follows when the exchange refuses the protection or somebody cancels it: the position
            is closed at market, or protected again.
        strategy_exit: whether a SELL of the strategy closes the position.
        trails: whether the stop follows a rising price.
        has_stop: whether a stop is to stand below the price, now or once it trails.
        has_target: whether a profit is to be taken at some price.
        is_on: whether a position is left at any price at all.
        leaves: whether a position is left by anything but the strategy.
        changes_by_time: whether the levels change by time alone.
        measures_range: whether a level hangs on the average true range.
    """

    stop_loss_pct: Decimal = ZERO
    stop_loss_atr: Decimal = ZERO
    take_profit_pct: Decimal = ZERO
    take_profit_atr: Decimal = ZERO
    target_table: Mapping[int, Decimal] = field(default_factory=dict)
    trailing_stop_pct: Decimal = ZERO
    trailing_stop_atr: Decimal = ZERO
    trailing_start_pct: Decimal = ZERO
    trailing_step_pct: Decimal = Decimal("0.1")
    trailing_seconds: int = 10
    time_stop_minutes: int = 0
    strategy_exit: bool = True
    closes_when_refused: bool = False
    trails: bool = field(init=False, repr=False, compare=False)
    has_stop: bool = field(init=False, repr=False, compare=False)
    has_target: bool = field(init=False, repr=False, compare=False)
    is_on: bool = field(init=False, repr=False, compare=False)
    leaves: bool = field(init=False, repr=False, compare=False)
    changes_by_time: bool = field(init=False, repr=False, compare=False)
    measures_range: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what is asked again and again."""
        trails = bool(self.trailing_stop_pct or self.trailing_stop_atr)
        has_stop = bool(self.stop_loss_pct or self.stop_loss_atr or trails)
        has_target = bool(self.take_profit_pct or self.take_profit_atr or self.target_table)
        derived = {
            "trails": trails,
            "has_stop": has_stop,
            "has_target": has_target,
            "is_on": has_stop or has_target,
            "leaves": has_stop or has_target or bool(self.time_stop_minutes),
            "changes_by_time": bool(self.target_table or self.time_stop_minutes),
            "measures_range": bool(self.stop_loss_atr or self.take_profit_atr or self.trailing_stop_atr),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


class Levels(Value, frozen=True):
    """Where a holding is left, in quote per base, not rounded; None: at no such price.

    Attributes:
        stop_kind, target_kind: what makes it leave there.
        close: why it is to be left now whatever the price, with numbers.
    """

    stop_price: Decimal | None
    stop_kind: ExitKind
    target_price: Decimal | None
    target_kind: ExitKind
    close: tuple[ExitKind, str] | None


def exit_levels(settings: ExitSettings, holding: Holding, highest: Decimal | None, now_ms: int) -> Levels:
    """Where `holding` is left at `now_ms`.

    Stop and target are measured from the average price, the trailing stop from the highest price since the entry, as
    far as it was seen (`highest`; what was paid counts as seen). A multiple of the average true range takes the place
    of the percentage; where the range is not known, the percentage holds. Of the fixed and the trailing stop the higher
    one stands. A trailing stop never falls, even when what was seen is forgotten: not below the last one that stood.
    """
    stop_price, stop_kind = _stop(settings, holding, max(highest or ZERO, holding.highest_paid))
    target_price, target_kind = _target(settings, holding, now_ms)
    return Levels(stop_price, stop_kind, target_price, target_kind, _time_stop(settings, holding, now_ms))


def next_change_ms(settings: ExitSettings, holding: Holding, now_ms: int) -> int | None:
    """When the levels of `holding` change next by time alone, market ms; None when they do not any more.

    A time stop that is due changes nothing any more, but stays due: then it is now.
    """
    held_minutes = [*settings.target_table, *([settings.time_stop_minutes] if settings.time_stop_minutes else [])]
    times = [holding.opened_ms + minutes * MINUTE_MS for minutes in held_minutes]
    if _time_stop(settings, holding, now_ms) is not None:
        return now_ms
    return min((at_ms for at_ms in times if at_ms > now_ms), default=None)


def lowest_stop_fraction(settings: ExitSettings, price: Decimal, atr_quote: Decimal | None) -> Decimal | None:
    """At which part of an entry's `price` its first stop may sell at the lowest; None when there is none.

    It counts that a stop may need a limit price below its trigger. A trailing stop that begins later is counted as it
    begins.
    """
    if not settings.has_stop:
        return None
    fixed = _below(price, settings.stop_loss_pct, settings.stop_loss_atr, atr_quote)
    starts_at = price * (1 + settings.trailing_start_pct / _HUNDRED)
    trailing = _below(starts_at, settings.trailing_stop_pct, settings.trailing_stop_atr, atr_quote)
    if settings.trailing_start_pct and fixed is not None:
        trailing = None
    stops = [stop for stop in (fixed, trailing) if stop is not None]
    return max(stops) / price * STOP_LIMIT_FRACTION if stops else None


def _stop(settings: ExitSettings, holding: Holding, highest: Decimal) -> tuple[Decimal | None, ExitKind]:
    fixed = _below(holding.average_price, settings.stop_loss_pct, settings.stop_loss_atr, holding.atr_quote)
    trailing = _trailing(settings, holding, highest)
    if trailing is not None and (fixed is None or trailing > fixed):
        return trailing, ExitKind.TRAILING_STOP
    return fixed, ExitKind.STOP_LOSS


def _trailing(settings: ExitSettings, holding: Holding, highest: Decimal) -> Decimal | None:
    if not settings.trails:
        return None
    level = None
    start_pct = settings.trailing_start_pct  # 0 begins at once: what was paid is below the average price, by the fee
    if not start_pct or highest >= holding.average_price * (1 + start_pct / _HUNDRED):
        level = _below(highest, settings.trailing_stop_pct, settings.trailing_stop_atr, holding.atr_quote)
    stood = holding.last_stop_price if holding.last_stop_kind is ExitKind.TRAILING_STOP else None
    return max((price for price in (level, stood) if price is not None), default=None)


def _target(settings: ExitSettings, holding: Holding, now_ms: int) -> tuple[Decimal | None, ExitKind]:
    average = holding.average_price
    if settings.target_table:
        held_ms = now_ms - holding.opened_ms
        reached = [minutes for minutes in settings.target_table if minutes * MINUTE_MS <= held_ms]
        profit_pct = settings.target_table[max(reached)] if reached else None
        price = None if profit_pct is None else average * (1 + profit_pct / _HUNDRED)
        return price, ExitKind.TARGET_TABLE
    distance = _distance(average, settings.take_profit_pct, settings.take_profit_atr, holding.atr_quote)
    return None if distance is None else average + distance, ExitKind.TAKE_PROFIT


def _time_stop(settings: ExitSettings, holding: Holding, now_ms: int) -> tuple[ExitKind, str] | None:
    held_ms = now_ms - holding.opened_ms
    limit = settings.time_stop_minutes
    if not limit or held_ms < limit * MINUTE_MS:
        return None
    return ExitKind.TIME_STOP, f"held for {held_ms // MINUTE_MS} min, RISK_TIME_STOP_MINUTES is {limit}"


def _below(price: Decimal, pct: Decimal, multiple: Decimal, atr_quote: Decimal | None) -> Decimal | None:
    """The stop below `price`; None without one, or when it would be no price any more."""
    distance = _distance(price, pct, multiple, atr_quote)
    return None if distance is None or distance >= price else price - distance


def _distance(price: Decimal, pct: Decimal, multiple: Decimal, atr_quote: Decimal | None) -> Decimal | None:
    """How far from `price` in quote: the multiple of the range where both are there, else the percentage."""
    if multiple and atr_quote is not None:
        return multiple * atr_quote
    return price * pct / _HUNDRED if pct else None
