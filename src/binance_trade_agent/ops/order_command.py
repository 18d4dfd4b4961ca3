"""An order from the command line: shown with what all rules say, confirmed, placed, and followed to its fill."""

import asyncio
import sys
from collections.abc import Iterator

from binance_trade_agent import exit_codes
from binance_trade_agent.cache.shared import board_namespace, shared_cache
from binance_trade_agent.configuration import Configuration
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.judging import Judged, judge
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.ops.command import needs_trader, place_and_wait
from binance_trade_agent.reports import order_words
from binance_trade_agent.reports.aligned import aligned
from binance_trade_agent.reports.order_draft import Draft
from binance_trade_agent.reports.wording import sentence

LIFETIME_MS = 60_000  # it is not carried out later than so long after it was confirmed
_LOOK_SECONDS = 8.0  # the trader reads a book about a second after somebody looks at it
_LOOK_EVERY_SECONDS = 0.2


def order(configuration: Configuration, draft: Draft, *, is_agreed: bool) -> int:
    """Show what the order comes to, ask on a terminal unless it `is_agreed`, place it, and say what came of it.

    Returns the exit code: 0 when it was filled or rests, 1 when it was refused, or not agreed to.

    Raises:
        LedgerError: there is no ledger, or it cannot be written.
    """
    path = configuration.settings.ledger_path
    if not needs_trader(path):
        return exit_codes.FAILURE
    judged = asyncio.run(_judged(configuration, draft))
    print("\n".join(_lines(judged)), flush=True)
    if judged.why_not or judged.preview is None:
        print("Nothing was placed.")
        return exit_codes.FAILURE
    if not is_agreed and not _agrees():
        return exit_codes.FAILURE
    expires = str(wall_ms() + LIFETIME_MS)
    payload = {**order_words.payload(judged.preview.order), "expires_wall_ms": expires}
    return place_and_wait(path, CommandKind.ORDER, payload)


async def _judged(configuration: Configuration, draft: Draft) -> Judged:
    """What is thought of it, once the trader has read the market for who asks here."""
    settings = configuration.settings
    desk = Desk(configuration, shared_cache(settings), board_namespace(settings), reader="cli")
    deadline = monotonic_seconds() + _LOOK_SECONDS
    try:
        judged = await judge(desk, draft)
        while (judged.blockers or _lacks_candles(judged)) and monotonic_seconds() < deadline:
            await sleep_seconds(_LOOK_EVERY_SECONDS)
            judged = await judge(desk, draft)
        return judged
    finally:
        await desk.close()


def _lacks_candles(judged: Judged) -> bool:
    """Whether rules that measure the market's range have nothing to measure yet."""
    return judged.market is not None and judged.market.candles is None


def _lines(judged: Judged) -> Iterator[str]:
    """The order in words, and the verdict of each rule that refuses it."""
    shown = judged.preview
    if shown is not None and judged.market is not None:
        yield order_words.in_words(shown, judged.market.rules)
        yield from aligned([(name, value) for name, value in order_words.rows(shown, judged.market.rules)])
        if shown.note:
            yield sentence(shown.note)
        for finding in shown.against:
            yield f"Refused by {finding.rule.replace('_', ' ')}: {finding.detail}."
        if not shown.against:
            yield f"All {len(shown.findings)} rules allow it."
        for other in judged.differing:
            yield f"{other}, which judges by its own."
    if judged.why_not and not (shown is not None and shown.against and not judged.blockers):
        yield sentence(judged.why_not)


def _agrees() -> bool:
    if not sys.stdin.isatty():
        print("Nothing was placed: nobody can be asked here, this is no terminal; --yes orders without being asked.")
        return False
    try:
        answer = input("Place this order? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
        print()
    if answer.strip().lower() in {"y", "yes"}:
        return True
    print("Nothing was placed.")
    return False
