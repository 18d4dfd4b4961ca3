"""A start that fails before the ledger is open: told at once, by the process that ends, within a few seconds."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

from binance_trade_agent.configuration import ConfigError, load_only
from binance_trade_agent.domain.notify_events import NotifyEvent
from binance_trade_agent.notifications.failures import Failures
from binance_trade_agent.notifications.news import Notice
from binance_trade_agent.notifications.notifier import cursor_folder, message, title_of
from binance_trade_agent.notifications.targets import Target, targets
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.settings import Settings, secret_texts

_PATIENCE_SECONDS = 4.0  # the process waits no longer for the addresses
_NEEDED = frozenset({"NOTIFY_URLS", "NOTIFY_EVENTS", "LEDGER_PATH", "TRADING_INSTANCE"})


@contextlib.asynccontextmanager
async def told_if_it_fails(settings: Settings) -> AsyncIterator[None]:
    """Around what comes before `notifying`, which tells failures itself."""
    try:
        yield
    except Exception as failure:
        await asyncio.to_thread(_tell, settings, str(failure), title_of(settings))
        raise


def tell_wrong_settings(flags: Mapping[str, Any], sentences: str) -> None:
    """Tell that the settings are wrong, to those addresses that can be read nevertheless.

    Args:
        flags: by setting name, what the command line gave.
        sentences: what is wrong.
    """
    settings = load_only(_NEEDED, flags)
    _tell(settings, sentences, f"Trader {settings.trading_instance}")


def _tell(settings: Settings, why: str, title: str) -> None:
    if NotifyEvent.STOP not in settings.notify_events:
        return
    try:
        known = targets(settings, skip_wrong=True)
    except ConfigError:  # the failure itself, or another one: Apprise is missing
        return
    text = message([Notice(NotifyEvent.STOP, f"The trader could not start: {why}")], secret_texts(settings))
    given = (settings, title, text)
    threads = [threading.Thread(target=_tell_one, args=(target, *given), daemon=True) for target in known]
    for thread in threads:
        thread.start()
    deadline = monotonic_seconds() + _PATIENCE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - monotonic_seconds()))


def _tell_one(target: Target, settings: Settings, title: str, text: str) -> None:
    failures = Failures(cursor_folder(settings.ledger_path), target.key)
    said = failures.due(text, backs_off=True)
    if said and target.send(title, said, is_bad=True):
        failures.told(text)
