"""A recording of a run: what each decision was made on, a line of JSON each, so that it can be made again.

Of the market: candles since the decision before, best prices, rules where they changed. And the answers to all that was
asked on the way: the books, order book and last price, the clock. Everything of the outside that a decision can hang on
is a question with an answer; the decisions themselves are in the ledger.

What a file has said it says no more: of a window of candles only the new ones, of an answer that is the same only that.
A run has files `RUN.0001.jsonl`, `RUN.0002.jsonl` ..., each of which can be read without the ones before it. A line is
written at once and whole; one that is torn, by a kill or a full disk, is the last one and is left out on reading.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from binance_trade_agent import __version__
from binance_trade_agent.domain.candle_window import CandleWindow
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import BookTicker, MarketView
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.history.errors import HistoryError

SUFFIX = ".jsonl"
_FORM = 2
_FORMS = (1, _FORM)  # those that are read: 1 wrote every answer out
_SAME = "="  # before a question's name: it was answered as the last time in this file
_SHORT_BYTES = 64  # such an answer is written out each time
_MORE_WITHIN_MS = 120_000  # market time in which a decision that came to an order may go on beside later ones
_PARTS = 10  # files that the allowed space has room for at least: the oldest goes when it is used up

_Row = tuple[int, int, Decimal, Decimal, Decimal, Decimal, Decimal]
Question = tuple[str, list[str], Any]
"""Its name, the symbols and assets that it is about, and its answer: a value that JSON can say."""
Answered = tuple[str, list[str], msgspec.Raw]


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was seen of a holding before this tick (agents/exit_watch.py): it is remembered in memory only.

    Attributes:
        entry_order_id: the holding, by the order that began it.
        highest: its highest price so far, quote per base.
        target_refused: the price of a target that the exchange does not take.
        on_sale_base: of it, what persons have on sale, in base asset.
    """

    entry_order_id: str
    highest: Decimal
    target_refused: Decimal | None = None
    on_sale_base: Decimal = Decimal(0)


class Look(msgspec.Struct, frozen=True):
    """One decision's look at the market.

    Attributes:
        view: None when nothing could be seen.
        trouble: why only an exit may be decided on, or why nothing was seen; timed_out: because it took too long.
        rests: why the symbol takes no part in this cycle, None when it does.
        seen: of what is held.
        choice: the strategy in use.
        limits: setting -> value, those that a person has changed while a trader ran.
    """

    tick_ms: int
    cycle: int
    symbol: str
    choice: StrategyChoice
    view: MarketView | None = None
    trouble: str | None = None
    timed_out: bool = False
    rests: str | None = None
    seen: Seen | None = None
    limits: dict[str, str] = {}


class _Opened(msgspec.Struct, tag="opened"):
    form: int
    run_id: str
    program: str


class _Mark(msgspec.Struct, tag="mark"):
    """What the last look saw of a symbol, at the beginning of a file; its candles are not looked at any more."""

    rules: SymbolRules
    book: BookTicker


class _Window(msgspec.Struct, omit_defaults=True):
    """Candles: the last `count` of those that were there and the new ones; `anew`: of the new ones only."""

    new: list[_Row]
    count: int
    anew: bool = False


class _Decision(msgspec.Struct, tag="decision", omit_defaults=True):
    """A Look without what has not changed, and what was asked."""

    tick_ms: int
    cycle: int
    symbol: str
    asked: list[Answered]
    choice: StrategyChoice | None = None
    rules: SymbolRules | None = None
    book: BookTicker | None = None
    candles: _Window | None = None
    candle_age_ms: int | None = None
    book_age_ms: int = 0
    larger: _Window | None = None
    larger_interval: str = ""
    trouble: str | None = None
    timed_out: bool = False
    rests: str | None = None
    seen: Seen | None = None
    limits: dict[str, str] | None = None


class _More(msgspec.Struct, tag="more"):
    """What was asked for a decision after its line was written."""

    tick_ms: int
    symbol: str
    asked: list[Answered]


_Line = _Opened | _Mark | _Decision | _More
_encode = msgspec.json.Encoder(decimal_format="string").encode
_decode = msgspec.json.Decoder(_Line).decode
_NOTHING = msgspec.Raw(b"null")


def recordings_folder(ledger_path: Path) -> Path:
    """Where the recordings of the runs on a ledger are."""
    return ledger_path.parent / "recordings"


class Known:
    """What a file has said so far, which its next lines need not say again; the same when writing and reading."""

    def __init__(self) -> None:
        self.choice: StrategyChoice | None = None
        self.limits: dict[str, str] = {}
        self.rules: dict[str, SymbolRules] = {}
        self.windows: dict[tuple[str, str], Sequence[Candle]] = {}
        self.answers: dict[tuple[str, ...], bytes] = {}
        self._given: dict[tuple[str, ...], Any] = {}  # the long ones, by which the very same is told without its text

    def shortened(self, key: tuple[str, str], candles: Sequence[Candle]) -> _Window:
        """A window of candles by what is new in it."""
        before, self.windows[key] = self.windows.get(key, ()), candles
        if isinstance(candles, CandleWindow):
            if candles is before and len(candles):  # as at most ticks
                return _Window([], len(candles))
            goes_on, count = candles.continues(before if isinstance(before, CandleWindow) else candles[:0])
            rows: list[Any] = (candles[len(candles) - count :] if goes_on else candles).rows()
            return _Window(rows, len(candles), anew=not goes_on)
        goes_on, count = _continues(list(candles), list(before))
        new = candles[len(candles) - count :] if goes_on else candles
        return _Window([_row(candle) for candle in new], len(candles), anew=not goes_on)

    def answered(self, asked: Sequence[Question]) -> list[Answered]:
        """Questions with their answers, of which long ones are left out that were the same the last time.

        Each entry asks for the orders and positions of all symbols, and hardly ever have these changed.
        """
        lines = []
        for name, arguments, answer in asked:
            key = (name, *arguments)
            if answer is not None and answer is self._given.get(key):
                lines.append((_SAME + name, arguments, _NOTHING))
                continue
            text = _encode(answer)
            is_long = len(text) > _SHORT_BYTES
            is_same = is_long and self.answers.get(key) == text
            self._given[key] = answer if is_long else None
            if not is_same:
                self.answers[key] = text
            lines.append((_SAME + name, arguments, _NOTHING) if is_same else (name, arguments, msgspec.Raw(text)))
        return lines

    def restored_answers(self, asked: Sequence[Answered]) -> list[Answered]:
        """The questions with all their answers."""
        lines = []
        for name, arguments, answer in asked:
            if name.startswith(_SAME):
                key = (name.removeprefix(_SAME), *arguments)
                lines.append((key[0], arguments, msgspec.Raw(self.answers[key])))
            else:
                self.answers[name, *arguments] = bytes(answer)
                lines.append((name, arguments, answer))
        return lines

    def restored(self, key: tuple[str, str], window: _Window) -> list[Candle]:
        """The candles of a window that was shortened."""
        before = [] if window.anew else self.windows.get(key, ())
        candles = [*before, *(Candle(*row) for row in window.new)]
        self.windows[key] = restored = candles[len(candles) - window.count :]
        return restored


def _continues(now: list[Candle], before: list[Candle]) -> tuple[bool, int]:
    """Whether all but the last candles of `now` are the last ones of `before`, and how many those last are."""
    last_ms = before[-1].open_time_ms if before else -1
    new = [candle for candle in now if candle.open_time_ms > last_ms]
    return bool(before) and len(new) < len(now) and (before + new)[-len(now) :] == now, len(new)


def _row(candle: Candle) -> _Row:
    prices = candle.open, candle.high, candle.low, candle.close
    return (candle.open_time_ms, candle.close_time_ms, *prices, candle.volume)


def _has_changed(now: object, before: object) -> bool:
    """Whether they differ. Mostly it is the same value, and to compare two of many fields takes longer."""
    return now is not before and now != before


class RecordingWriter:
    """Writes the recording of one run to files in `folder`.

    Args:
        most_bytes: what all recordings in the folder may take; the oldest files go first.

    Raises:
        OSError: the folder or a file could not be written; also `write` and `write_more` raise it.
    """

    def __init__(self, folder: Path, run_id: str, most_bytes: int) -> None:
        self._folder = folder
        self._run_id = run_id
        self._most_bytes = most_bytes
        self._part = 0
        self._file = -1
        self._bytes = 0
        self._known = Known()
        self._views: dict[str, MarketView] = {}
        self._begin_part()

    def write(self, look: Look, asked: Sequence[Question]) -> None:
        """Keep one decision's look, and what was asked for it."""
        if self._bytes * _PARTS > self._most_bytes:
            self._begin_part()
        known, view = self._known, look.view
        line = _Decision(
            look.tick_ms,
            look.cycle,
            look.symbol,
            known.answered(asked),
            choice=look.choice if _has_changed(look.choice, known.choice) else None,
            trouble=look.trouble,
            timed_out=look.timed_out,
            rests=look.rests,
            seen=look.seen,
            limits=look.limits if look.limits != known.limits else None,
        )
        known.choice, known.limits = look.choice, look.limits
        if view is not None:
            line.rules = view.rules if _has_changed(view.rules, known.rules.get(look.symbol)) else None
            known.rules[look.symbol] = view.rules
            line.book, line.book_age_ms, line.candle_age_ms = view.book, view.book_age_ms, view.candle_age_ms
            line.candles = known.shortened((look.symbol, ""), view.candles) if view.candles else None
            line.larger_interval = view.larger_interval
            if view.larger_candles is not None:
                line.larger = known.shortened((look.symbol, view.larger_interval), view.larger_candles)
            self._views[look.symbol] = view
        self._append(line)

    def write_more(self, look: Look, asked: Sequence[Question]) -> None:
        """Keep what was asked for a decision after its look was written."""
        self._append(_More(look.tick_ms, look.symbol, self._known.answered(asked)))

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin_part(self) -> None:
        self.close()
        self._part += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._run_id}.{self._part:04}{SUFFIX}"
        # Only its owner may read it, as the ledger.
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._bytes = 0
        _make_room(self._folder, self._most_bytes, path)
        self._append(_Opened(_FORM, self._run_id, __version__))
        self._known = Known()
        for view in self._views.values():
            self._append(_Mark(view.rules, view.book))

    def _append(self, line: _Line) -> None:
        """One system call: a reader, and the next start after a kill, see the line whole or torn at the end."""
        text = _encode(line) + b"\n"
        written = os.write(self._file, text)
        if written != len(text):
            raise OSError(None, f"{written} of {len(text)} bytes were written")
        self._bytes += written


def _make_room(folder: Path, most_bytes: int, current: Path) -> None:
    """Remove the oldest files until a part fits in; names begin with the time of their run."""
    files = sorted(path for path in folder.glob(f"*{SUFFIX}") if path != current)
    sizes = {path: path.stat().st_size for path in files}
    for path in files:
        if sum(sizes.values()) + most_bytes // _PARTS <= most_bytes:
            return
        with suppress(FileNotFoundError):
            path.unlink()
        del sizes[path]


class RecordedLook(msgspec.Struct, frozen=True):
    """A look, and the answers in the order in which they were given."""

    look: Look
    asked: list[Answered]


class RecordedTick(msgspec.Struct, frozen=True):
    """The looks of one tick by symbol, in the order in which they were written."""

    tick_ms: int
    cycle: int
    looks: dict[str, RecordedLook]


class Recording:
    """Reads the recording of one run.

    Attributes:
        marks: by symbol, the last view of the tick before the first one that is read; filled when reading begins.

    Raises:
        HistoryError: there is none, or it is of a newer form.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self.paths = sorted(folder.glob(f"{run_id}.[0-9]*{SUFFIX}"))
        self.marks: dict[str, MarketView] = {}
        self._run_id = run_id
        if not self.paths:
            raise HistoryError(
                f"run {run_id} was not recorded, or its recording was removed: {folder} has none of it; RECORD_KEEP_MB "
                "says how much is kept, and 0 that nothing is recorded"
            )

    def ticks(self) -> Iterator[RecordedTick]:
        """Every tick in the order of time.

        Raises:
            HistoryError: a file cannot be read, or a line that is not the last one is no line of a recording.
        """
        latest: deque[RecordedTick] = deque()  # to which more answers may come
        for path in self.paths:
            known = Known()
            for line in _lines(path):
                if isinstance(line, _Opened):
                    self._check(path, line)
                elif isinstance(line, _Mark):
                    if not latest:  # in a later file they say what is known
                        self.marks[line.book.symbol] = MarketView(line.book.symbol, line.rules, (), line.book, None, 0)
                elif isinstance(line, _More):
                    _add_answers(latest, line, known.restored_answers(line.asked))
                else:
                    if not latest or latest[-1].tick_ms != line.tick_ms:
                        latest.append(RecordedTick(line.tick_ms, line.cycle, {}))
                    looked = RecordedLook(_look(line, known), known.restored_answers(line.asked))
                    latest[-1].looks[line.symbol] = looked
                    while line.tick_ms - latest[0].tick_ms > _MORE_WITHIN_MS:
                        yield latest.popleft()
        yield from latest

    def _check(self, path: Path, line: _Opened) -> None:
        if line.form not in _FORMS:
            read = " and ".join(map(str, _FORMS))
            raise HistoryError(f"{path} is of form {line.form}, made by version {line.program}: this one reads {read}")
        if line.run_id != self._run_id:
            raise HistoryError(f"{path} is the recording of run {line.run_id}")


def _add_answers(latest: Iterable[RecordedTick], line: _More, asked: Sequence[Answered]) -> None:
    for tick in latest:
        if tick.tick_ms == line.tick_ms and line.symbol in tick.looks:
            tick.looks[line.symbol].asked.extend(asked)


def _look(line: _Decision, known: Known) -> Look:
    """The look with all that the lines before have said."""
    known.choice = line.choice or known.choice
    known.limits = known.limits if line.limits is None else line.limits
    if line.rules is not None:
        known.rules[line.symbol] = line.rules
    view = None
    if line.book is not None:
        candles = known.restored((line.symbol, ""), line.candles) if line.candles else ()
        key = line.symbol, line.larger_interval
        larger = None if line.larger is None else known.restored(key, line.larger)
        ages = line.candle_age_ms, line.book_age_ms
        rules = known.rules[line.symbol]
        view = MarketView(line.symbol, rules, tuple(candles), line.book, *ages, larger, line.larger_interval)
    assert known.choice is not None, "a file's first look says the choice"
    return Look(
        line.tick_ms,
        line.cycle,
        line.symbol,
        known.choice,
        view,
        line.trouble,
        timed_out=line.timed_out,
        rests=line.rests,
        seen=line.seen,
        limits=known.limits,
    )


def _lines(path: Path) -> Iterator[_Line]:
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                if not text.endswith(b"\n"):
                    return  # torn: the process was killed, or the disk full, while it was written
                try:
                    yield _decode(text)
                except (msgspec.DecodeError, ValueError) as failure:
                    raise HistoryError(f"{path}, line {number} is no line of a recording: {failure}") from None
    except OSError as failure:
        raise HistoryError(f"{path} cannot be read: {failure.strerror}") from None


def answer_of(asked: Answered, kind: Any) -> Any:
    """An answer as a value of `kind`.

    Raises:
        HistoryError: it is none.
    """
    try:
        return msgspec.json.decode(asked[2], type=kind)
    except (msgspec.DecodeError, ValueError) as failure:
        raise HistoryError(f"the recorded answer to {asked[0]} cannot be read: {failure}") from None
