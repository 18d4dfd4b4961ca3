"""The options of `trade-agent exchange`: what flags mean, what they exclude, and what holds where they are missing."""

from decimal import Decimal
from pathlib import Path

import pytest

from binance_trade_agent.simulator.command import exchange_options

SETTINGS = {
    "symbols": ("BTCUSDT", "ETHUSDT"),
    "seed": 7,
    "replay": (),
    "relay": None,
    "start": None,
    "speed": Decimal(60),
    "balances": {"USDT": Decimal(10_000)},
}


def test_settings_hold_where_no_flag_is_given():
    options = exchange_options({}, SETTINGS)

    assert (options.symbols, options.seed, options.speed) == (("BTCUSDT", "ETHUSDT"), 7, 60)
    assert options.balances == {"USDT": 10_000}


def test_flags_are_read_from_text():
    given = {
        "symbols": "solusdt, ethbtc",
        "speed": "stepped",
        "balances": ("usdt=5", "BTC=0.1"),
        "commission_rate": "0",
        "state": Path("paper.state"),
        "faults": Path("storm.toml"),
    }

    options = exchange_options(given, SETTINGS)

    assert (options.symbols, options.speed) == (("SOLUSDT", "ETHBTC"), None)
    assert options.balances == {"USDT": 5, "BTC": Decimal("0.1")}
    assert (options.commission_rate, options.state, options.faults) == (0, Path("paper.state"), Path("storm.toml"))


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ({"fixture": "F0", "replay": ("a.csv",)}, "--fixture and --replay"),
        ({"fixture": "F0", "relay": "mainnet"}, "--fixture and --relay"),
        ({"fixture": "F0", "start": "now"}, "--fixture and --start"),
        ({"fixture": "F0", "speed": "2"}, "--fixture and --speed"),
        ({"fixture": "F0", "seed": 1}, "--fixture and --seed"),
        ({"fixture": "F0", "state": Path("x")}, "--fixture and --state"),
        ({"fixture": "F0", "balances": ("USDT=1",)}, "--fixture and --balance"),
        ({"relay": "mainnet", "speed": "2"}, "--relay and --speed"),
        ({"relay": "mainnet", "speed": "stepped"}, "--relay and --speed"),
        ({"relay": "mainnet", "seed": 1}, "--relay and --seed"),
        ({"relay": "mainnet", "start": "now"}, "--relay and --start"),
        ({"relay": "mainnet", "replay": ("a.csv",)}, "--relay and --replay"),
        ({"replay": ("a.csv",), "symbols": "BTCUSDT"}, "--replay and --symbols"),
        ({"replay": ("a.csv",), "seed": 1}, "--replay and --seed"),
    ],
)
def test_flags_that_contradict_each_other_are_refused_by_name(given, flags):
    with pytest.raises(ValueError, match=f"{flags} contradict each other: .*\\.$"):
        exchange_options(given, SETTINGS)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"speed": "0"}, "--speed 0 is not allowed: it must be a number above 0, up to 1000000, or stepped"),
        ({"speed": "1000001"}, "--speed 1000001 is not allowed"),
        ({"speed": "nan"}, "--speed nan is not allowed"),
        ({"commission_rate": "1"}, "--commission 1 is not allowed: it must be a fraction from 0 to below 1"),
        ({"commission_rate": "x"}, "--commission x is not allowed"),
        ({"balances": ("USDT",)}, "--balance USDT is not allowed: it must be ASSET=AMOUNT"),
        ({"balances": ("USDT=-1",)}, "--balance USDT=-1 is not allowed"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        exchange_options(given, SETTINGS)


def test_a_market_that_is_asked_for_takes_the_place_of_the_settings():
    recorded = {**SETTINGS, "replay": (Path("BTCUSDT-1m.csv"),)}

    assert exchange_options({}, recorded).replay == (Path("BTCUSDT-1m.csv"),)
    assert exchange_options({"seed": 1}, recorded).replay == ()
    assert exchange_options({"fixture": "F0"}, recorded).replay == ()
    assert exchange_options({"relay": "testnet"}, recorded).replay == ()


def test_a_relay_and_a_fixture_run_in_real_time_whatever_the_settings_say():
    settings = {**SETTINGS, "start": "2026-01-05T00:00:00Z"}

    for given in ({"relay": "testnet"}, {"fixture": "F0"}):
        options = exchange_options(given, settings)
        assert (options.speed, options.start) == (1, None)


def test_in_paper_mode_the_relay_of_the_settings_is_meant_and_a_flag_replaces_it():
    settings = {**SETTINGS, "relay": "mainnet", "start": "now"}

    assert exchange_options({}, settings).relay == "mainnet"
    assert exchange_options({}, settings).symbols == ("BTCUSDT", "ETHUSDT")
    assert exchange_options({"seed": 3}, settings).relay is None
