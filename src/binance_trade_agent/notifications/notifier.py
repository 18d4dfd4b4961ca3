"""Sends what is new in the ledger: a thread for each address, which reads it by itself and never holds up a tick.

A thread looks at the ledger every few seconds, sends all that is new as one message, and only then notes in a file
beside the ledger what it has told. So an address that is away gets, once it is back, what happened meanwhile in one
message, and after a restart nothing is told twice that was delivered; only what was sent, but not noted before a crash,
is sent again.

What fails again and again over restarts is told once an hour (`failures`), and after a run that ended badly a start is
told when it has lasted a minute.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from pathlib import Path

import msgspec

from binance_trade_agent.domain.notify_events import NotifyEvent
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.notifications.failures import LASTING_SECONDS, Failures
from binance_trade_agent.notifications.news import Cursor, Notice, in_this_ledger, news, was_cut_off
from binance_trade_agent.notifications.targets import Target
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.settings import Settings, secret_texts

LOOK_EVERY_SECONDS = 3.0  # what happens within is one message
_FAREWELL_SECONDS = 3.0  # so long a stop waits for the last message
_LONGEST_BACK_OFF_SECONDS = 300.0
_MOST_CHARACTERS = 3_500  # a message of Telegram has 4096 at most

log = logging.getLogger(__name__)


class Courier(threading.Thread):
    """Tells one address.

    Args:
        target: the address.
        ledger_path: the ledger, which is there already.
        events: what is to be told.
        title: of each message.
        secrets: texts that no message may hold.
        pace_seconds: from one look at the ledger to the next, and the first wait after a failure.
    """

    def __init__(
        self,
        target: Target,
        ledger_path: Path,
        events: Collection[str],
        title: str,
        secrets: Sequence[str] = (),
        pace_seconds: float = LOOK_EVERY_SECONDS,
    ) -> None:
        super().__init__(name=f"notify {target.shown}", daemon=True)  # it never keeps the process alive
        self._target = target
        self._ledger_path = ledger_path
        self._events = events
        self._title = title
        self._secrets = secrets
        self._pace_seconds = pace_seconds
        self._path = cursor_folder(ledger_path) / f"{target.key}.json"
        self._failures = Failures(cursor_folder(ledger_path), target.key)
        self._cursor = Cursor()
        self._version = -1
        self._undelivered = 0  # in a row
        self._begun_seconds = monotonic_seconds()
        self._has_lasted = False
        self._holds_start = False
        self._is_over = threading.Event()
        self._is_failing = False
        self._cut_off = self._last_words = "", ""  # what has failed, and what is to be said of it

    def begin(self) -> None:
        """Go on from where the file says; without one, what is in the ledger already is not told.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        with LedgerReader.open(self._ledger_path) as reader:
            try:
                kept = msgspec.json.decode(self._path.read_bytes(), type=Cursor)
                self._cursor = reader.snapshot(lambda connection: in_this_ledger(connection, kept))
            except (OSError, msgspec.MsgspecError):
                _, self._cursor = reader.snapshot(lambda connection: news(connection, Cursor()))
                self._keep()
            is_cut_off = reader.snapshot(lambda connection: was_cut_off(connection, self._cursor))
        self._holds_start = is_cut_off or self._failures.any()
        self.start()

    def end(self, last_words: str = "") -> None:
        """Look a last time, send what there is, with these words, and end. To be joined with a time limit.

        Args:
            last_words: why it has failed; empty where it has not.
        """
        self._is_failing = bool(last_words)
        if last_words and NotifyEvent.STOP in self._events:
            self._last_words = last_words, self._failures.due(last_words)
        self._is_over.set()

    def run(self) -> None:
        """The thread."""
        try:
            with LedgerReader.open(self._ledger_path) as reader:
                is_last = False
                while not is_last:
                    is_last = self._is_over.wait(self._wait_seconds())
                    self._look(reader, is_last=is_last)
        except Exception:
            log.exception("%s is not told anything any more in this run", self._target.shown)

    def _look(self, reader: LedgerReader, *, is_last: bool) -> None:
        lasts = is_last or monotonic_seconds() - self._begun_seconds >= LASTING_SECONDS
        if lasts and not self._has_lasted and not self._is_failing:
            self._has_lasted, self._holds_start, self._version = True, False, -1
            self._failures.forget()
        try:
            version = reader.snapshot(_version)
            if version == self._version and not self._undelivered and not is_last:
                return  # nothing was committed since the last look
            is_more = self._tell_news(reader, is_last=is_last)
            while is_more and is_last:
                is_more = self._tell_news(reader, is_last=is_last)
            self._version = -1 if is_more else version  # there may be more than one look reads
        except LedgerError as trouble:
            log.debug("%s cannot be told anything now: %s", self._target.shown, trouble)

    def _tell_news(self, reader: LedgerReader, *, is_last: bool) -> bool:
        """Tell what one look reads; whether that was anything."""
        notices, cursor = reader.snapshot(lambda connection: news(connection, self._cursor))
        if any(notice.event is NotifyEvent.STOP and not notice.is_bad for notice in notices):
            self._holds_start = False  # what was stopped on purpose has lasted, and its start comes before its end
        if is_last and self._is_failing:
            cursor = replace(cursor, ended=cursor.started)  # it does not end without a word
        elif self._holds_start:
            cursor = replace(cursor, started=self._cursor.started)
        wanted = list(self._wanted(notices, is_last=is_last))
        if wanted and not self._send(wanted):
            return False
        self._note_failures(is_last=is_last)
        is_new = cursor != self._cursor
        if is_new:
            self._cursor = cursor
            self._keep()
        return is_new

    def _wanted(self, notices: Sequence[Notice], *, is_last: bool) -> Iterator[Notice]:
        """What NOTIFY_EVENTS names, without a start that has not lasted and failures that were told lately."""
        for notice in notices:
            if notice.event not in self._events or (notice.event is NotifyEvent.START and self._holds_start):
                continue
            if notice.event is not NotifyEvent.STOP or not notice.is_bad:
                yield notice
                continue
            if notice.text != self._cut_off[0]:
                self._cut_off = notice.text, self._failures.due(notice.text)
            if self._cut_off[1]:
                yield replace(notice, text=self._cut_off[1])
        if is_last and self._last_words[1]:
            yield Notice(NotifyEvent.STOP, self._last_words[1], is_bad=True)

    def _note_failures(self, *, is_last: bool) -> None:
        """They were delivered."""
        if self._cut_off[1]:
            self._failures.told(self._cut_off[0])
            self._cut_off = self._cut_off[0], ""
        if is_last and self._last_words[1]:
            self._failures.told(self._last_words[0])
            self._last_words = "", ""

    def _send(self, notices: Sequence[Notice]) -> bool:
        is_bad = any(notice.is_bad for notice in notices)
        was_delivered = self._target.send(self._title, message(notices, self._secrets), is_bad=is_bad)
        if was_delivered and self._undelivered:
            log.info("notifications reach %s again", self._target.shown)
        elif not was_delivered and not self._undelivered:  # said once, not at each try
            log.warning("a notification could not be delivered to %s; it is tried again", self._target.shown)
        self._undelivered = 0 if was_delivered else self._undelivered + 1
        return was_delivered

    def _wait_seconds(self) -> float:
        """Longer after each failure."""
        return min(self._pace_seconds * 2.0 ** min(self._undelivered, 16), _LONGEST_BACK_OFF_SECONDS)

    def _keep(self) -> None:
        """A full disk must not stop anything: what cannot be noted is told again after a restart."""
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(self._cursor))
            fresh.replace(self._path)
        except OSError as trouble:
            log.warning("what was told to %s cannot be noted: %s", self._target.shown, trouble.strerror)


def _version(connection: sqlite3.Connection) -> int:
    """A number that changes with each commit of another connection."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def cursor_folder(ledger_path: Path) -> Path:
    """Where it stands what each address was told."""
    return ledger_path.with_name(f"{ledger_path.name}.notified")


def message(notices: Sequence[Notice], secrets: Sequence[str] = ()) -> str:
    """A line for each notice, what is wrong first where not all of them have room."""
    texts = [notice.text for notice in notices]
    if sum(len(text) + 1 for text in texts) > _MOST_CHARACTERS:
        texts = [notice.text for notice in sorted(notices, key=lambda notice: not notice.is_bad)]
        kept: list[str] = []
        for text in texts:
            if sum(len(one) + 1 for one in kept) + len(text) > _MOST_CHARACTERS:
                break
            kept.append(text)
        texts = [*(kept or [texts[0][:_MOST_CHARACTERS]]), f"And {len(texts) - len(kept)} more."]
    body = "\n".join(texts)
    for secret in secrets:
        body = body.replace(secret, "****")
    return body


def title_of(settings: Settings) -> str:
    """Who speaks, for the title of each message."""
    return f"Trader {settings.trading_instance} ({settings.mode})"


@contextlib.asynccontextmanager
async def notifying(settings: Settings, known: Sequence[Target]) -> AsyncIterator[None]:
    """Tell the addresses what happens until the end of the context, which is told too, within a few seconds.

    Args:
        settings: whose ledger is there already.
        known: the addresses (`targets`).

    Raises:
        LedgerError: the ledger cannot be read.
    """
    title, secrets = title_of(settings), secret_texts(settings)
    couriers = [Courier(target, settings.ledger_path, settings.notify_events, title, secrets) for target in known]
    for courier in couriers:
        courier.begin()
    last_words = ""
    try:
        yield
    except Exception as failure:
        last_words = f"The trader has failed: {failure}"
        raise
    finally:
        for courier in couriers:
            courier.end(last_words)
        if couriers:
            await asyncio.to_thread(_join, couriers)


def _join(couriers: Sequence[Courier]) -> None:
    deadline = monotonic_seconds() + _FAREWELL_SECONDS
    for courier in couriers:
        courier.join(max(0.0, deadline - monotonic_seconds()))
        if courier.is_alive():
            log.warning("%s: the last message was not delivered in time; the next start tells it", courier.name)
