"""What a setting may be, and which settings fit together."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from binance_trade_agent.exchange.endpoints import LIVE, TESTNET
from binance_trade_agent.settings import (
    LIVE_ACKNOWLEDGEMENT,
    Settings,
    allowed_values,
    mask,
    setting_names,
    shown,
    suggestion,
)

KEYS = {"binance_api_key": "a1" * 32, "binance_api_secret": "b2" * 32}
ARMED = {**KEYS, "trading_mode": "live", "live_trading_ack": LIVE_ACKNOWLEDGEMENT}


def test_defaults_are_those_that_the_readme_promises():
    settings = Settings()
    assert settings.mode == "simulated"
    assert settings.trading_symbols == ("BTCUSDT", "ETHUSDT")
    assert (settings.trading_interval_seconds, settings.trading_duration_minutes) == (120, 60)
    assert (settings.trading_candle_interval, settings.strategy_name) == ("1m", "combined_default")
    assert settings.redis_url is None


@pytest.mark.parametrize(
    "given_symbols", ["btcusdt, ethusdt", " BTCUSDT  ETHUSDT ", "BTCUSDT,,ETHUSDT,btcusdt", ["btcusdt", "ETHUSDT"]]
)
def test_symbols_forgive_case_spaces_and_repetition(given_symbols):
    assert Settings(trading_symbols=given_symbols).trading_symbols == ("BTCUSDT", "ETHUSDT")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trading_symbols", ""),
        ("trading_symbols", "BTC/USDT"),
        ("trading_interval_seconds", "0"),
        ("trading_interval_seconds", "-120"),
        ("trading_interval_seconds", "90.5"),
        ("trading_duration_minutes", "-1"),
        ("trading_duration_minutes", "an hour"),
        ("trading_duration_minutes", "nan"),
        ("trading_duration_minutes", "1e999999"),
        ("trading_candle_interval", "7m"),
        ("trading_order_quote", "0"),
        ("trading_order_fraction", "1.01"),
        ("trading_order_fraction", "0"),
        ("trading_instance", "two words"),
        ("trading_mode", "production"),
        ("strategy_params", "rsi_period"),
        ("strategy_params", "rsi_period=10,rsi_period=12"),
        ("strategy_params", "=3"),
        ("risk_max_position_quote", "-500"),
        ("risk_max_open_positions", "0"),
        ("simulation_speed", "0"),
        ("simulation_speed", "inf"),
        ("simulation_seed", "-1"),
        ("simulation_balances", "USDT=-1"),
        ("simulation_balances", "USDT=1e-99"),
        ("simulation_balances", ""),
        ("exchange_url", "127.0.0.1:8090"),
        ("exchange_url", "http://"),
        ("exchange_url", "http://127.0.0.1:port"),
        ("exchange_url", "http://127.0.0.1:99999"),
        ("exchange_url", "http://127.0.0.1:8090 and more"),
        ("exchange_url", "ftp://127.0.0.1"),
        ("exchange_control_url", "https://127.0.0.1:8091"),
        ("redis_url", "127.0.0.1:6379"),
        ("redis_url", "redis://127.0.0.1:port"),
        ("redis_url", "unix://"),
        ("log_format", "xml"),
        ("log_level", "LOUD"),
    ],
)
def test_value_outside_what_is_allowed_is_refused(name, value):
    with pytest.raises(ValidationError) as failure:
        Settings(**{name: value})
    assert [error["loc"][0] for error in failure.value.errors()] == [name]
    assert allowed_values(name)


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("trading_mode", " Simulated ", "simulated"),
        ("trading_duration_minutes", "0", Decimal(0)),
        ("trading_duration_minutes", 1.5, Decimal("1.5")),
        ("trading_order_quote", "150.25", Decimal("150.25")),
        ("strategy_params", "rsi_period=10, rsi_oversold=25", {"rsi_period": "10", "rsi_oversold": "25"}),
        ("strategy_params", {"rsi_period": 10}, {"rsi_period": "10"}),
        ("simulation_replay", "a.csv, b.csv", (Path("a.csv"), Path("b.csv"))),
        ("simulation_balances", "usdt=5000,BTC=0.5", {"USDT": Decimal(5000), "BTC": Decimal("0.5")}),
        ("exchange_url", "http://127.0.0.1:8090/", "http://127.0.0.1:8090"),
        ("exchange_url", "http://[::1]:8090", "http://[::1]:8090"),
        ("log_level", "debug", "DEBUG"),
        ("log_format", "JSON", "json"),
    ],
)
def test_forms_that_people_write_are_read(name, value, read):
    assert getattr(Settings(**{name: value}), name) == read


@pytest.mark.parametrize("text", ["true", "True", "TRUE", " 1 ", "yes", "YES"])
def test_true_is_spelled_in_these_ways_only(text):
    assert Settings(trading_autostart=text).trading_autostart is True


@pytest.mark.parametrize("text", ["false", "False", "0", "no", "NO "])
def test_false_is_spelled_in_these_ways_only(text):
    assert Settings(trading_autostart=text).trading_autostart is False


@pytest.mark.parametrize("text", ["on", "off", "y", "n", "t", "2", "", "wahr", "True!", "None", 1.5])
def test_any_other_boolean_is_refused(text):
    with pytest.raises(ValidationError):
        Settings(trading_autostart=text)


def test_keys_alone_select_the_testnet():
    assert Settings(**KEYS).mode == "testnet"
    assert Settings(**KEYS, trading_mode="simulated").mode == "simulated"
    assert Settings(**KEYS, trading_mode="paper").mode == "paper"


SPELLINGS = st.one_of(
    st.sampled_from(["true", "false", "1", "0", "yes", "no", "FALSE", "False ", "off", "production", "live", "-1", ""]),
    st.text(max_size=8),
    st.booleans(),
    st.none(),
)


@given(SPELLINGS, st.sampled_from([None, "simulated", "paper", "testnet", "live"]), st.booleans())
def test_no_spelling_of_testnet_ever_reaches_production(testnet, mode, has_keys):
    try:
        settings = Settings(binance_testnet=testnet, trading_mode=mode, **(KEYS if has_keys else {}))
    except ValidationError:
        return
    assert settings.mode in {"simulated", "paper", "testnet"}


def test_production_is_named_by_live_alone():
    assert "testnet" in TESTNET.rest
    assert "testnet" in TESTNET.websocket_api
    assert Settings(**ARMED).mode == "live"
    assert Settings(**ARMED, binance_testnet="false").mode == "live"
    assert "testnet" not in LIVE.rest


@pytest.mark.parametrize(
    ("given_settings", "sentence"),
    [
        ({**KEYS, "binance_testnet": "false"}, "BINANCE_TESTNET=false does not select production"),
        ({**ARMED, "binance_testnet": "true"}, "contradicts BINANCE_TESTNET=true"),
        ({**ARMED, "live_trading_ack": None}, "not armed: set LIVE_TRADING_ACK"),
        ({**ARMED, "live_trading_ack": LIVE_ACKNOWLEDGEMENT.lower()}, "not armed"),
        ({"trading_mode": "testnet"}, "TRADING_MODE=testnet needs BINANCE_API_KEY and BINANCE_API_SECRET"),
        ({"trading_mode": "live"}, "TRADING_MODE=live needs"),
        ({"binance_api_key": KEYS["binance_api_key"]}, "BINANCE_API_SECRET is missing"),
        ({"binance_api_secret": KEYS["binance_api_secret"]}, "BINANCE_API_KEY is missing"),
        ({**KEYS, "binance_api_key": "a" * 63}, "BINANCE_API_KEY has 63 characters"),
        ({**KEYS, "binance_api_secret": ""}, "BINANCE_API_SECRET has 0 characters"),
        ({**KEYS, "binance_api_key": "a" * 63 + "!"}, "BINANCE_API_KEY has other characters than those"),
        ({**KEYS, "binance_api_key": "ä" * 64}, "BINANCE_API_KEY has other characters"),
        ({"trading_order_quote": 1, "trading_order_fraction": "0.1"}, "are both set: set one of them"),
        ({"trading_mode": "paper", "simulation_replay": "a.csv"}, "needs TRADING_MODE=simulated; the mode is paper"),
        ({**KEYS, "simulation_replay": "a.csv"}, "SIMULATION_REPLAY needs TRADING_MODE=simulated; the mode is testnet"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused_in_one_sentence(given_settings, sentence):
    with pytest.raises(ValidationError) as failure:
        Settings(**given_settings)
    (error,) = failure.value.errors()
    text = str(error["ctx"]["error"])
    assert sentence in text
    assert text.endswith(".")
    assert "\n" not in text
    assert "a1a1" not in text
    assert "b2b2" not in text


def test_settings_read_nothing_from_the_environment_by_themselves(monkeypatch):
    monkeypatch.setenv("TRADING_MODE", "live")
    monkeypatch.setenv("trading_interval_seconds", "1")
    assert Settings().mode == "simulated"
    assert Settings().trading_interval_seconds == 120


def test_settings_are_frozen_and_know_no_other_names():
    with pytest.raises(ValidationError):
        Settings().trading_mode = "live"
    with pytest.raises(ValidationError):
        Settings(trading_mod="live")


def test_every_setting_says_what_it_is_and_what_it_may_be():
    for name in setting_names():
        assert Settings.model_fields[name.lower()].description
        assert allowed_values(name)


PASSWORDS = ["secret", "pa:ss", "p@ss", "pa/ss", "pa?ss", "p@s/s:w#rd", "://", ":@"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("user", ["", "somebody"])
def test_password_in_an_address_is_masked_whatever_its_characters(password, user):
    masked = mask(f"redis://{user}:{password}@127.0.0.1:6379/0")
    assert masked == "redis://****@127.0.0.1:6379/0"


def test_password_as_a_parameter_of_an_address_is_masked():
    assert mask("unix:///run/redis.sock?db=0&password=secret&x=1") == "unix:///run/redis.sock?db=0&password=****&x=1"


def test_address_without_a_login_is_shown_whole():
    assert mask("redis://127.0.0.1:6379/0") == "redis://127.0.0.1:6379/0"


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=6, max_size=80))
def test_masked_key_shows_at_most_its_first_four_characters(secret):
    masked = mask(secret)
    assert re.fullmatch(r".{0,4}\*{4}", masked)
    assert secret.startswith(masked.removesuffix("****"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not set"),
        (SecretStr("a1" * 32), "a1a1****"),
        (True, "true"),
        (Decimal("100.50"), "100.5"),
        (("BTCUSDT", "ETHUSDT"), "BTCUSDT,ETHUSDT"),
        ((), "none"),
        ({"USDT": Decimal("1E+4")}, "USDT=10000"),
        ({}, "none"),
        ("http://me:secret@127.0.0.1:1", "http://****@127.0.0.1:1"),
        (Path("data/ledger.db"), "data/ledger.db"),
        (7, "7"),
    ],
)
def test_values_are_shown_as_a_person_would_write_them(value, text):
    assert shown(value) == text


def test_suggestion_names_the_nearest_setting_or_says_nothing():
    assert suggestion("TRADING_SYMBOL") == "; the nearest valid name is TRADING_SYMBOLS"
    assert suggestion("12345") == ""


def test_paper_mode_needs_no_keys_and_relays_mainnet_unless_told_otherwise():
    settings = Settings(trading_mode="paper")
    assert (settings.mode, settings.is_simulated, settings.simulation_relay) == ("paper", True, "mainnet")
    assert Settings(simulation_relay=" Testnet ".strip()).simulation_relay == "testnet"
    assert Settings(simulation_relay="http://127.0.0.1:8090/").simulation_relay == "http://127.0.0.1:8090"
