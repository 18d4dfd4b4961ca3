"""`trade-agent strategies compare`: what each strategy says on the last closed candle, why, and how far they agree."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from binance_trade_agent import exit_codes
from binance_trade_agent.configuration import ConfigError, Configuration
from binance_trade_agent.domain.candle_series import candle_series
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.exchange.connect import connected
from binance_trade_agent.exchange.embedded import ExchangeStartError
from binance_trade_agent.exchange.errors import AuthError, ExchangeError, RejectedError
from binance_trade_agent.ops.runner import in_time
from binance_trade_agent.ops.terminal import complain
from binance_trade_agent.settings import Settings
from binance_trade_agent.simulator.market.candle_files import read_candle_file
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.strategies.comparison import (
    AGREEMENT_CANDLES,
    Ask,
    Asked,
    Comparison,
    Make,
    Opinion,
    Pair,
    compare,
)
from binance_trade_agent.strategies.own import OWN_FOLDER
from binance_trade_agent.strategies.registry import create_strategy, describe, is_preset

_ANSWER_SECONDS = 10.0  # for a tick and a frame of all candles; a live tick is given up after 5 s


@dataclass(frozen=True, slots=True)
class _Market:
    """What is looked at: closed candles without a hole, and those of the confirming interval where there is one."""

    symbol: str
    interval: str
    candles: Sequence[Candle]
    larger: Sequence[Candle] | None = None
    larger_interval: str = ""


def compare_strategies(
    configuration: Configuration, symbol: str | None, data: Path | None, *, as_json: bool, folder: Path = OWN_FOLDER
) -> int:
    """Print what every strategy says now. Returns 0, 1 when there are no candles, 2 for wrong settings.

    Args:
        configuration: says which exchange, interval and symbols; its strategy is asked with its parameters, the others
            with their defaults.
        symbol: without one, that of `data`, or the first that is traded.
        data: a file of candles instead of the exchange.
        as_json: whether to print one JSON document.
        folder: where own strategies are.
    """
    settings = configuration.settings
    chosen = StrategyChoice(settings.strategy_name, settings.strategy_params)

    def makers(of: str) -> dict[str, Make]:
        return _makers(chosen, of, folder)

    try:
        market = _from_file(data, symbol, makers) if data else asyncio.run(_from_exchange(settings, symbol, makers))
    except (ConfigError, AuthError, FeedError) as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    except (ExchangeError, ExchangeStartError) as failure:
        return complain(failure, exit_codes.FAILURE)
    if not market.candles:
        return complain(f"there is no closed {market.interval} candle of {market.symbol}", exit_codes.FAILURE)
    with contextlib.redirect_stdout(sys.stderr):  # own code may print; a JSON document has to stay one
        asked = makers(market.symbol)
        compared = compare(asked, market.symbol, market.candles, market.larger, market.larger_interval, _in_time)
    print(json.dumps(_document(market, compared), indent=2) if as_json else "\n".join(_lines(market, compared)))
    return exit_codes.OK


def _in_time(ask: Ask) -> Asked:
    return in_time(ask, _ANSWER_SECONDS)


def _makers(chosen: StrategyChoice, symbol: str, folder: Path) -> dict[str, Make]:
    """What makes each strategy, by name. Presets are others' parameters, and would count twice: only a chosen one."""
    names = [entry.name for entry in describe(folder) if not is_preset(entry.name)]
    return {
        name: partial(create_strategy, name, chosen.params_of(symbol) if name == chosen.name else None, folder)
        for name in dict.fromkeys([*names, chosen.name])
    }


def _candles_needed(makers: Mapping[str, Make]) -> int:
    """As many as warm up each strategy that can be made, and those on which pairs are compared."""
    longest = 0
    with contextlib.redirect_stdout(sys.stderr):
        for make in makers.values():
            with contextlib.suppress(Exception, SystemExit):  # anybody's code; what it raises is told when it is asked
                longest = max(longest, make().warm_up)
    return longest + AGREEMENT_CANDLES


def _from_file(path: Path, symbol: str | None, makers: Callable[[str], Mapping[str, Make]]) -> _Market:
    file = read_candle_file(path)
    if symbol and symbol.upper() != file.symbol:
        raise ConfigError(f"{path} holds candles of {file.symbol}, not of {symbol.upper()}.")
    newest = file.candles[-_candles_needed(makers(file.symbol)) :]
    return _Market(file.symbol, file.interval, candle_series((), newest, newest[-1].close_time_ms + 1).candles)


async def _from_exchange(
    settings: Settings, symbol: str | None, makers: Callable[[str], Mapping[str, Make]]
) -> _Market:
    """The candles that are closed on the exchange of the mode."""
    symbol = symbol.upper() if symbol else settings.trading_symbols[0]
    interval, larger_interval = settings.trading_candle_interval, settings.trading_confirm_interval
    needed = _candles_needed(makers(symbol)) + 1  # one is not closed yet
    async with connected(settings) as connection:

        async def closed(of: str) -> Sequence[Candle]:
            fetched = await connection.gateway.candles(symbol, of, needed)
            return candle_series((), fetched, connection.clock.now_ms()).candles

        try:
            larger = await closed(larger_interval) if larger_interval else None
            return _Market(symbol, interval, await closed(interval), larger, larger_interval or "")
        except RejectedError as failure:
            hint = f"; the simulated exchange has those of --symbols {','.join(settings.trading_symbols)}"
            raise ConfigError(f"{symbol}: {failure}{hint if settings.is_simulated else ''}") from None


def _lines(market: _Market, compared: Comparison) -> Iterator[str]:
    last = market.candles[-1]
    opened, close = iso_second(last.open_time_ms), plain(last.close)
    yield f"{market.symbol}, {market.interval} candle that opened {opened}, close {close}"
    yield ""
    width = max(len(opinion.name) for opinion in compared.opinions)
    for opinion in compared.opinions:
        yield f"{opinion.name:{width}}  {_word(opinion):9}  {_why(opinion)}".rstrip()
    yield ""
    counts = ", ".join(f"{count} {action}" for action, count in compared.counts.items())
    failed = sum(opinion.signal is None for opinion in compared.opinions)
    mean = "" if compared.mean_vote is None else f"; mean of direction times confidence {compared.mean_vote:+.2f}"
    yield f"consensus  {counts}{f', {failed} failed' if failed else ''}{mean}"
    if compared.most_frequent:
        words, share = compared.most_frequent
        yield f"agreement  {_percent(share)} say {' and as many '.join(words)}"
    if compared.pairs:
        yield f"           {_pairs_line(compared.pairs)}"


def _pairs_line(pairs: Sequence[Pair]) -> str:
    mean = sum(pair.same_fraction for pair in pairs) / len(pairs)
    least, most = (pick(pairs, key=lambda pair: pair.same_fraction) for pick in (min, max))
    candles = max(pair.candles for pair in pairs)
    ends = ", ".join(
        f"{word} {each.first} and {each.second}, {_percent(each.same_fraction)}"
        for word, each in (("least", least), ("most", most))
    )
    return f"over the last {candles} candles two of them said the same in {_percent(mean)} ({ends})"


def _document(market: _Market, compared: Comparison) -> dict[str, object]:
    last = market.candles[-1]
    words, share = compared.most_frequent or ((), None)
    counts: dict[str, object] = {str(action): count for action, count in compared.counts.items()}
    return {
        "symbol": market.symbol,
        "interval": market.interval,
        "candle_open_ms": last.open_time_ms,
        "close": plain(last.close),
        "confirm_interval": market.larger_interval or None,
        "strategies": [
            {
                "name": opinion.name,
                "action": opinion.signal and opinion.signal.action,
                "confidence": opinion.signal and opinion.signal.confidence,
                "reason": opinion.signal and opinion.signal.reason,
                "failed": opinion.failed,
            }
            for opinion in compared.opinions
        ],
        "consensus": {**counts, "mean_vote": compared.mean_vote},
        "agreement": {
            "most_frequent": list(words),
            "share_fraction": share,
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "candles": pair.candles,
                    "same_fraction": pair.same_fraction,
                }
                for pair in compared.pairs
            ],
        },
    }


def _word(opinion: Opinion) -> str:
    if opinion.signal is None:
        return "failed"
    signal = opinion.signal
    return f"{signal.action} {signal.confidence:.2f}" if signal.confidence else str(signal.action)


def _why(opinion: Opinion) -> str:
    return opinion.signal.reason if opinion.signal else opinion.failed or ""


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"
