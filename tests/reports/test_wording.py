from decimal import Decimal

import pytest

from binance_trade_agent.reports.wording import (
    amounts,
    duration,
    exact,
    measured,
    money,
    often,
    parse_utc,
    sentence,
    signed_money,
    utc_text,
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing is held", "Nothing is held."),
        ("is it BTCUSDT?", "Is it BTCUSDT?"),
        ("btacki-ETHUSDT-1-83 is over already: CANCELED", "btacki-ETHUSDT-1-83 is over already: CANCELED."),
        ("max_order says no.", "max_order says no."),
    ],
)
def test_a_sentence_has_a_capital_and_one_end_and_a_name_keeps_its_letters(text, said):
    assert sentence(text) == said


def test_what_happened_once_is_not_told_as_times():
    assert [often(times) for times in (1, 2, 1_200)] == ["once", "2 times", "1,200 times"]


def test_a_time_is_told_in_utc_and_read_back():
    assert utc_text(1_722_868_560_000) == "2024-08-05 14:36:00"
    assert parse_utc("2024-08-05 14:36:00") == 1_722_868_560_000
    assert parse_utc("2024-08-05T16:36:00+02:00") == 1_722_868_560_000
    assert parse_utc(" 2024-08-05 ") == 1_722_816_000_000


@pytest.mark.parametrize("text", ["yesterday", "", "2024-13-01", "5/8/2024"])
def test_a_date_that_is_none_is_one_clear_sentence(text):
    with pytest.raises(ValueError, match="is not a date; write 2024-08-05 or"):
        parse_utc(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [("66120.10", "66,120.1"), ("1E+3", "1,000"), ("-0.00025", "-0.00025"), ("0.00", "0"), ("1e-8", "0.00000001")],
)
def test_exact_shows_every_digit_and_no_exponent(value, text):
    assert exact(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("1234.567", "1,234.57"), ("0", "0.00"), ("-16.5", "-16.50"), ("0.000123456789", "0.00012346"), ("1", "1.00")],
)
def test_money_has_two_decimals_or_eight_when_it_is_small(value, text):
    assert money(Decimal(value)) == text


def test_a_profit_has_its_sign_and_an_unknown_one_says_so():
    assert [signed_money(value) for value in (Decimal("2.5"), Decimal(0), Decimal(-1), None)] == [
        "+2.50",
        "0.00",
        "-1.00",
        "unknown",
    ]


def test_amounts_are_listed_with_their_assets():
    assert amounts({"BTC": Decimal("0.00000151"), "USDT": Decimal(4)}) == "0.00000151 BTC, 4 USDT"
    assert amounts({}) == "none"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("0.00135173", "%", "0.0014 %"),
        ("298.62034396", "USDT", "298.62 USDT"),
        ("3", "orders", "3 orders"),
        ("1", "orders", "1 order"),
        ("1", "entries", "1 entry"),
        ("179.9", "s", "179.9 s"),
        ("0.75604278", "", "0.75604278"),
    ],
)
def test_what_a_rule_measured_is_told_with_its_unit(value, unit, text):
    assert measured(Decimal(value), unit) == text
    assert measured(None, unit) == ""


@pytest.mark.parametrize(
    ("length_ms", "text"),
    [(0, "0 s"), (59_999, "59 s"), (60_000, "1 min"), (3_900_000, "1 h 5 min"), (183_600_000, "2 days 3 h")],
)
def test_a_duration_is_told_in_two_units_at_most(length_ms, text):
    assert duration(length_ms) == text
