"""Exits as a specification: what is paid, what the price does, and where and why the position is left."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.values import replace
from binance_trade_agent.risk.exits import ExitSettings, exit_levels, lowest_stop_fraction

STOP, TARGET, TABLE, TRAILING, TIME = (
    ExitKind.STOP_LOSS,
    ExitKind.TAKE_PROFIT,
    ExitKind.TARGET_TABLE,
    ExitKind.TRAILING_STOP,
    ExitKind.TIME_STOP,
)


def exits(**settings) -> ExitSettings:
    """Settings from text: `stop_loss_pct="2"`."""
    return ExitSettings(**{name: Decimal(each) if isinstance(each, str) else each for name, each in settings.items()})


def table(**minutes: str) -> dict[int, Decimal]:
    """A table of minutes to percent: `table(m0="4", m30="2")`."""
    return {int(minute[1:]): Decimal(pct) for minute, pct in minutes.items()}


def held(average: str = "100", atr: str | None = "2", **changes) -> Holding:
    """One unit, bought at minute 0 for `average`."""
    position = Position("BTCUSDT", Decimal(1), Decimal(average), opened_ms=0)
    return replace(Holding(position, 0, "entry", Decimal(average), None if atr is None else Decimal(atr)), **changes)


def levels(settings: ExitSettings, holding: Holding, highest: str | None = None, minutes: int = 0):
    """Stop and target with what makes them, as text."""
    found = exit_levels(settings, holding, None if highest is None else Decimal(highest), minutes * MINUTE_MS)
    stop = None if found.stop_price is None else (f"{found.stop_price.normalize():f}", found.stop_kind)
    target = None if found.target_price is None else (f"{found.target_price.normalize():f}", found.target_kind)
    return stop, target


# fmt: off
FIXED = [
    # settings                                                  average  atr   stop            target
    (exits(),                                                     "100", "2",  None,           None),
    (exits(stop_loss_pct="2"),                                    "100", "2",  ("98", STOP),   None),
    (exits(take_profit_pct="4"),                                  "100", "2",  None,           ("104", TARGET)),
    (exits(stop_loss_pct="2", take_profit_pct="4"),               "250", "2",  ("245", STOP),  ("260", TARGET)),
    # A multiple of the range takes the place of the percentage ...
    (exits(stop_loss_pct="2", stop_loss_atr="1.5"),               "100", "2",  ("97", STOP),   None),
    (exits(take_profit_pct="4", take_profit_atr="3"),             "100", "2",  None,           ("106", TARGET)),
    (exits(stop_loss_atr="2", take_profit_atr="3"),               "100", "2",  ("96", STOP),   ("106", TARGET)),
    # ... but where the range is not known the percentage holds, if there is one.
    (exits(stop_loss_pct="2", stop_loss_atr="1.5"),               "100", None, ("98", STOP),   None),
    (exits(take_profit_pct="4", take_profit_atr="3"),             "100", None, None,           ("104", TARGET)),
    (exits(stop_loss_atr="1.5"),                                  "100", None, None,           None),
    # A stop at 0 or below would be none.
    (exits(stop_loss_atr="50"),                                   "100", "2",  None,           None),
    (exits(stop_loss_atr="49"),                                   "100", "2",  ("2", STOP),    None),
    # A flat market has a range of 0: stop and target are where it was bought.
    (exits(stop_loss_atr="2", take_profit_atr="3"),               "100", "0",  ("100", STOP),  ("100", TARGET)),
]
# fmt: on


@pytest.mark.parametrize(("settings", "average", "atr", "stop", "target"), FIXED)
def test_stop_and_target_are_measured_from_the_average_price(settings, average, atr, stop, target):
    assert levels(settings, held(average, atr)) == (stop, target)


# fmt: off
TABLES = [
    # minutes in the position -> target
    (0,    "104"),
    (29,   "104"),
    (30,   "102"),
    (59,   "102"),
    (60,   "100"),   # 0: at what it cost
    (119,  "100"),
    (120,  "99"),    # a loss is accepted from then on
    (5000, "99"),
]
# fmt: on


@pytest.mark.parametrize(("minutes", "target"), TABLES)
def test_table_of_minutes_takes_the_place_of_every_other_target(minutes, target):
    steps = table(m0="4", m30="2", m60="0", m120="-1")
    settings = exits(take_profit_pct="7", take_profit_atr="3", target_table=steps)
    assert levels(settings, held(), minutes=minutes) == (None, (target, TABLE))


def test_table_that_begins_later_has_no_target_before():
    settings = exits(take_profit_pct="7", target_table=table(m10="4"))
    assert levels(settings, held(), minutes=9) == (None, None)
    assert levels(settings, held(), minutes=10) == (None, ("104", TABLE))


# fmt: off
TRAILS = [
    # settings                                                    highest  atr   stop
    (exits(trailing_stop_pct="5"),                                 None,   "2",  ("95", TRAILING)),   # what was paid
    (exits(trailing_stop_pct="5"),                                 "110",  "2",  ("104.5", TRAILING)),
    (exits(trailing_stop_pct="5"),                                 "90",   "2",  ("95", TRAILING)),
    (exits(trailing_stop_atr="3"),                                 "110",  "2",  ("104", TRAILING)),
    (exits(trailing_stop_pct="5", trailing_stop_atr="3"),          "110",  "2",  ("104", TRAILING)),
    (exits(trailing_stop_pct="5", trailing_stop_atr="3"),          "110",  None, ("104.5", TRAILING)),
    # It begins once the profit was there.
    (exits(trailing_stop_pct="5", trailing_start_pct="3"),         "102.9", "2", None),
    (exits(trailing_stop_pct="5", trailing_start_pct="3"),         "103",  "2",  ("97.85", TRAILING)),
    # The higher one of the fixed and the trailing stop stands; the fixed one when they are the same.
    (exits(stop_loss_pct="2", trailing_stop_pct="5"),              "101",  "2",  ("98", STOP)),
    (exits(stop_loss_pct="2", trailing_stop_pct="5"),              "104",  "2",  ("98.8", TRAILING)),
    (exits(stop_loss_pct="5", trailing_stop_pct="5"),              "100",  "2",  ("95", STOP)),
    (exits(stop_loss_pct="2", trailing_stop_pct="1", trailing_start_pct="3"), "102", "2", ("98", STOP)),
]
# fmt: on


@pytest.mark.parametrize(("settings", "highest", "atr", "stop"), TRAILS)
def test_trailing_stop_follows_the_highest_price(settings, highest, atr, stop):
    assert levels(settings, held(atr=atr), highest) == (stop, None)


def test_trailing_stop_without_a_start_begins_at_what_was_paid_though_the_fee_is_not_earned_yet():
    assert levels(exits(trailing_stop_pct="5"), held("100.1", highest_paid=Decimal(100))) == (("95", TRAILING), None)


# fmt: off
RATCHET = [
    # the last stop that stood, and by what    highest seen since  stop
    ("106", TRAILING, None,  ("106", TRAILING)),    # a crash has forgotten the highest price
    ("106", TRAILING, "108", ("106", TRAILING)),
    ("106", TRAILING, "120", ("114", TRAILING)),
    # A fixed stop may follow the average price, so it is no floor; the settings may have changed too.
    ("97",  STOP,     None,  ("95", TRAILING)),
]
# fmt: on


@pytest.mark.parametrize(("stood", "kind", "highest", "stop"), RATCHET)
def test_trailing_stop_never_falls_below_the_last_one_that_stood(stood, kind, highest, stop):
    holding = held(last_stop_price=Decimal(stood), last_stop_kind=kind)
    assert levels(exits(trailing_stop_pct="5"), holding, highest) == (stop, None)


def test_trailing_stop_that_is_switched_off_leaves_the_fixed_one():
    holding = held(last_stop_price=Decimal(106), last_stop_kind=TRAILING)
    assert levels(exits(stop_loss_pct="2"), holding) == (("98", STOP), None)


def test_second_entry_moves_the_fixed_stop_and_keeps_the_trailing_one():
    lower = held("90", last_stop_price=Decimal(98), last_stop_kind=STOP)
    assert levels(exits(stop_loss_pct="2"), lower)[0] == ("88.2", STOP)
    lower = held("90", last_stop_price=Decimal(89), last_stop_kind=TRAILING)
    assert levels(exits(stop_loss_pct="2", trailing_stop_pct="5"), lower)[0] == ("89", TRAILING)


@pytest.mark.parametrize(("held_ms", "closes"), [(0, False), (59 * MINUTE_MS + 59_999, False), (60 * MINUTE_MS, True)])
def test_time_stop_closes_once_it_was_held_so_long(held_ms, closes):
    found = exit_levels(exits(time_stop_minutes=60), held(), None, held_ms)
    assert found.close == ((TIME, "held for 60 min, RISK_TIME_STOP_MINUTES is 60") if closes else None)
    assert exit_levels(exits(), held(), None, held_ms).close is None


# fmt: off
LOWEST = [
    # settings                                                    price   atr   fraction of the price
    (exits(),                                                     "200",  "4",  None),
    (exits(take_profit_pct="4"),                                  "200",  "4",  None),
    (exits(stop_loss_pct="2"),                                    "200",  "4",  "0.9604"),           # 0.98 * 0.98
    (exits(stop_loss_pct="2", stop_loss_atr="5"),                 "200",  "4",  "0.882"),            # 0.90 * 0.98
    (exits(stop_loss_pct="2", stop_loss_atr="5"),                 "200",  None, "0.9604"),
    (exits(trailing_stop_pct="10"),                               "200",  "4",  "0.882"),
    (exits(stop_loss_pct="5", trailing_stop_pct="10"),            "200",  "4",  "0.931"),            # the fixed one is higher
    (exits(stop_loss_pct="20", trailing_stop_pct="10", trailing_start_pct="1"), "200", "4", "0.784"),
    (exits(trailing_stop_pct="10", trailing_start_pct="5"),       "200",  "4",  "0.9261"),           # 1.05 * 0.9 * 0.98
    (exits(stop_loss_atr="60"),                                   "200",  "4",  None),
]
# fmt: on


@pytest.mark.parametrize(("settings", "price", "atr", "fraction"), LOWEST)
def test_entry_needs_room_above_the_least_notional_down_to_where_its_first_stop_may_sell(
    settings, price, atr, fraction
):
    found = lowest_stop_fraction(settings, Decimal(price), None if atr is None else Decimal(atr))
    assert found == (None if fraction is None else Decimal(fraction))


def walk(settings: ExitSettings, prices: list[str]) -> tuple[list[Decimal | None], tuple[int, ExitKind] | None]:
    """One price a minute after an entry at 100: the stop that stands at each, and the minute and kind of the exit.

    What stood is the floor of what stands next, as the ledger keeps it.
    """
    holding, highest, stops = held(), Decimal(0), []
    for minute, price in enumerate(map(Decimal, prices)):
        highest = max(highest, price)
        found = exit_levels(settings, holding, highest, minute * MINUTE_MS)
        stops.append(found.stop_price)
        if found.close is not None:
            return stops, (minute, found.close[0])
        if found.stop_price is not None and price <= found.stop_price:
            return stops, (minute, found.stop_kind)
        if found.target_price is not None and price >= found.target_price:
            return stops, (minute, found.target_kind)
        holding = replace(holding, last_stop_price=found.stop_price, last_stop_kind=found.stop_kind)
    return stops, None


# fmt: off
PATHS = [
    # settings                                                      prices a minute                       exit
    (exits(stop_loss_pct="2"),                                      ["100", "99", "98.01", "98"],          (3, STOP)),
    (exits(stop_loss_pct="2"),                                      ["100", "90"],                         (1, STOP)),
    (exits(stop_loss_pct="2", take_profit_pct="4"),                 ["100", "103.9", "104"],               (2, TARGET)),
    (exits(stop_loss_atr="1", take_profit_atr="2"),                 ["98.1", "103.9", "98"],               (2, STOP)),
    (exits(trailing_stop_pct="2"),                                  ["100", "105", "103", "102.9"],        (3, TRAILING)),
    (exits(trailing_stop_pct="2", trailing_start_pct="5"),          ["104", "95", "105", "103", "102.9"],  (4, TRAILING)),
    (exits(stop_loss_pct="3", trailing_stop_pct="2", trailing_start_pct="5"), ["104", "97"],               (1, STOP)),
    (exits(trailing_stop_atr="1"),                                  ["101", "103", "102", "101"],          (3, TRAILING)),
    (exits(target_table=table(m0="4", m2="1")),                     ["102", "102", "102"],                 (2, TABLE)),
    (exits(target_table=table(m0="4", m3="-5")),                    ["97", "96", "95.5", "95"],            (3, TABLE)),
    (exits(stop_loss_pct="5", time_stop_minutes=3),                 ["100", "101", "102", "103"],          (3, TIME)),
    # The time is over and the stop is reached in the same minute: it is left either way, and said to be for the time.
    (exits(stop_loss_pct="5", time_stop_minutes=1),                 ["100", "90"],                         (1, TIME)),
    (exits(stop_loss_pct="5", take_profit_pct="5", trailing_stop_pct="6"), ["96", "104", "97.7"],          (2, TRAILING)),
    (exits(stop_loss_pct="5", take_profit_pct="5"),                 ["96", "104", "98", "101"],            None),
]
# fmt: on


@pytest.mark.parametrize(("settings", "prices", "expected"), PATHS)
def test_path_of_prices_is_left_at_the_first_level_it_comes_to(settings, prices, expected):
    assert walk(settings, prices)[1] == expected


PERCENT = st.decimals("0", "20", places=2)
PRICES = st.lists(st.decimals("50", "200", places=2).map(str), min_size=1, max_size=40)


@given(PRICES, PERCENT, PERCENT, PERCENT, st.booleans())
def test_stop_never_falls_on_any_path_of_prices(prices, stop, trailing, start, by_range):
    multiples = {"stop_loss_atr": stop, "trailing_stop_atr": trailing} if by_range else {}
    settings = ExitSettings(
        stop_loss_pct=stop,
        trailing_stop_pct=trailing,
        trailing_start_pct=start,
        take_profit_pct=Decimal(30),
        **multiples,
    )
    stops = [stop for stop in walk(settings, prices)[0] if stop is not None]
    assert all(before <= after for before, after in pairwise(stops))


@given(PRICES, PERCENT, PERCENT)
def test_what_is_forgotten_by_a_crash_at_each_minute_lowers_no_stop(prices, stop, trailing):
    settings = ExitSettings(stop_loss_pct=stop, trailing_stop_pct=trailing)
    holding, stops = held(), []
    for price in map(Decimal, prices):
        found = exit_levels(settings, holding, price, 0)  # the price of now is all that is known
        if found.stop_price is None or price <= found.stop_price:
            break
        stops.append(found.stop_price)
        holding = replace(holding, last_stop_price=found.stop_price, last_stop_kind=found.stop_kind)
    assert all(before <= after for before, after in pairwise(stops))
