"""Symbols and order size as a person asked for them, against what the exchange trades."""

import pytest

from binance_trade_agent.agents.symbols import tradable_rules
from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.settings import Settings
from tests.agents.desk import desk


async def test_rules_come_in_the_order_of_the_symbols(tmp_path):
    async with desk(tmp_path, opened=False) as ready:
        rules = await tradable_rules(ready.gateway, Settings(trading_symbols="ethusdt btcusdt"))
        assert list(rules) == ["ETHUSDT", "BTCUSDT"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"trading_symbols": "BTCUSDT,ETHUSTD"},
            r"^ETHUSTD in TRADING_SYMBOLS is not traded .* nearest it trades is ETHUSDT\.$",
        ),
        ({"trading_order_quote": "4.99"}, r"^TRADING_ORDER_QUOTE=4\.99 is under BTCUSDT's minimum notional, 5 USDT"),
        (
            {"trading_order_quote": "5.05"},
            r"^TRADING_ORDER_QUOTE=5\.05 is too little to protect: at its stop .* use clearly more than 5\.21\.$",
        ),
    ],
)
async def test_mistake_is_one_sentence_that_names_the_setting(tmp_path, settings, sentence):
    async with desk(tmp_path, opened=False) as ready:
        with pytest.raises(ConfigError, match=sentence):
            await tradable_rules(ready.gateway, Settings(**settings))


async def test_symbols_with_two_quote_assets_are_refused(tmp_path):
    symbols = ("BTCUSDT", "ETHBTC")
    async with desk(tmp_path, opened=False, symbols=symbols) as ready:
        with pytest.raises(ConfigError, match="mixes the quote assets BTC and USDT"):
            await tradable_rules(ready.gateway, Settings(trading_symbols=",".join(symbols)))
