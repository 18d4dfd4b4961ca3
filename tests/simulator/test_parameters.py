"""Syntax of parameters and its errors: binance-protocol.md 2.5."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.parameters import (
    BOOLEAN,
    CLIENT_ID,
    DECIMAL,
    INTEGER,
    SYMBOL,
    SYMBOLS,
    Form,
    Parameter,
    read_pairs,
)

FORM = Form(
    (
        Parameter("symbol", SYMBOL, required=True),
        Parameter("symbols", SYMBOLS),
        Parameter("quantity", DECIMAL),
        Parameter("limit", INTEGER),
        Parameter("newClientOrderId", CLIENT_ID),
        Parameter("omitZeroBalances", BOOLEAN),
        Parameter("type"),
    )
)


def refusal(*sent: tuple[str, str], form: Form = FORM) -> tuple[int, str]:
    with pytest.raises(ApiError) as refused:
        form.read(sent)
    assert refused.value.status == 400
    return refused.value.code, refused.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quantity", "1"),
        ("quantity", "0.00000001"),
        ("quantity", "9" * 20 + "." + "9" * 20),
        ("limit", "0"),
        ("limit", str(2**63 - 1)),
        ("newClientOrderId", "a-Z_9" + "x" * 31),
        ("symbols", "[]"),
        ("symbols", '["BTCUSDT","这是测试币456"]'),
        ("omitZeroBalances", "TRUE"),
        ("type", "anything"),
    ],
)
def test_sound_values_are_read(name, value):
    assert FORM.read([("symbol", "BTCUSDT"), (name, value)]).text(name) == value


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        *(("quantity", value, r"^([0-9]{1,20})(\.[0-9]{1,20})?$") for value in ("1e-05", "-1", "0,1", " 1", "1.", "\u0661", "1\n")),
        *(("limit", value, "^[0-9]{1,20}$") for value in ("abc", "-1", "1.0", "9" * 21, "1\n")),
        *(("newClientOrderId", value, "^[a-zA-Z0-9-_]{1,36}$") for value in ("a b", "x" * 37, "é", "a\n")),
        ("symbol", "btcusdt", r"^[\w\-._&&[^a-z]]{1,50}$"),
        ("symbol", "X" * 51, r"^[\w\-._&&[^a-z]]{1,50}$"),
        ("omitZeroBalances", "yes", "^(true|false)$"),
    ],
)  # fmt: skip
def test_illegal_characters_are_named_with_the_legal_range(name, value, legal):
    sent = {"symbol": "BTCUSDT", name: value}
    text = f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    assert refusal(*sent.items()) == (-1100, text)


def test_each_fault_has_its_code_and_text():
    symbol = ("symbol", "BTCUSDT")
    assert refusal(symbol, symbol) == (-1101, "Duplicate values for a parameter detected.")
    assert refusal(("limit", "5")) == (
        -1102,
        "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
    )
    assert refusal(symbol, ("foo", "1")) == (
        -1104,
        "Not all sent parameters were read; read '1' parameter(s) but was sent '2'.",
    )
    assert refusal(symbol, ("quantity", "")) == (-1105, "Parameter 'quantity' was empty.")
    assert refusal(symbol, ("limit", str(2**63))) == (-1108, "Parameter 'limit' overflowed.")


def test_endpoint_without_parameters_takes_none():
    assert refusal(("a", "1"), ("b", "2"), form=Form(())) == (
        -1101,
        "Too many parameters; expected '0' and received '2'.",
    )


@given(st.text(st.sampled_from("ab=&%+2F\xe9; "), max_size=30).map(str.encode) | st.binary(max_size=20))
def test_pairs_are_read_like_the_standard_library_reads_them(raw):
    assert read_pairs(raw) == parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True)


def test_values_are_converted():
    arguments = FORM.read([("symbol", "A"), ("limit", "1700000000000"), ("quantity", "1.123456789")])
    assert arguments.time_ms("limit") == 1_700_000_000_000
    assert arguments.time_us("limit") == 1_700_000_000_000_000
    assert FORM.read([("symbol", "A"), ("limit", "1700000000000001")]).time_us("limit") == 1_700_000_000_000_001
    assert arguments.time_us("type") is None
    with pytest.raises(ApiError, match="-1111 Parameter 'quantity' has too much precision"):
        arguments.decimal("quantity")
