"""Recorder: keeps what each decision is made on, so that `trade-agent replay` can have it made again.

The agents are given the same clock, books and market as before, behind a door that notes what they are told while a
decision is made. A decision's line is written before anything is committed that comes of it, so that a kill leaves the
line of every order. Recording never disturbs trading: what goes wrong is said once, and no more is recorded.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar, cast

from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.risk_context import EntryMarket
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.market import Depth, MarketView
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.history.recording import Look, Question, RecordingWriter, Seen
from binance_trade_agent.ledger.books import Books, BooksView
from binance_trade_agent.ledger.errors import LedgerError

T = TypeVar("T")

# Names under which answers are kept that are not those of a method of BooksView.
NOW, GATE, DEPTH, LAST_PRICE, BOOKS_FAILED, SILENT = "now_ms", "gate", "depth", "last_price", "books_failed", "silent"
EPOCH, LOCKED_BY_OTHERS, IS_STOPPING = "epoch", "locked_by_others", "is_stopping"
# After an order is approved what is asked serves its placing, except for what is still held.
_ASKED_AFTER_APPROVAL = "position"

log = logging.getLogger(__name__)


class Witness:
    """Looks on while decisions are made, and keeps nothing; hands on what it is given."""

    @contextlib.contextmanager
    def deciding(self, decision: Decision, rests: str | None) -> Iterator[None]:  # noqa: ARG002 (for who keeps it)
        """One decision, from its first look to its end."""
        yield

    def looked(self, view: MarketView, trouble: Exception | None, seen: Seen | None) -> None:
        """What was seen for the decision that is made; `trouble` is why only an exit may be decided on."""

    def silent(self, failure: Exception) -> None:
        """The strategy has given no answer in time."""

    def approved(self) -> None:
        """The decision that is made has come to its order."""

    def asking(self, name: str, ask: Callable[[], T]) -> Callable[[], T]:  # noqa: ARG002
        """A question to the outside, under its name."""
        return ask

    def clock(self, clock: Clock) -> Clock:
        """The clock for agents that decide."""
        return clock

    def books(self, books: Books) -> Books:
        """The books for agents that decide."""
        return books

    def gate(self, gate: EntryGate) -> EntryGate:
        """The gate for the agent that judges."""
        return gate

    def market(self, market: EntryMarket) -> EntryMarket:
        """The market for the agent that judges: order book and last price."""
        return market


@dataclass(slots=True)
class _Taking:
    """What is kept of a decision that is made."""

    decision: Decision
    rests: str | None
    look: Look | None = None
    asked: list[Question] = field(default_factory=list)
    is_written: bool = False

    def note(self, name: str, arguments: list[str], answer: Any) -> None:
        if not self.is_written or name == _ASKED_AFTER_APPROVAL:
            self.asked.append((name, arguments, answer))


_taking: ContextVar[_Taking | None] = ContextVar("_taking", default=None)  # symbols are decided on side by side


class Recorder(Witness):
    """Keeps what it sees.

    Args:
        choice: the strategy in use.
        limits: setting -> value, those that a person has changed (control/risk_switch.py).
    """

    def __init__(
        self,
        writer: RecordingWriter,
        choice: Callable[[], StrategyChoice],
        limits: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._writer: RecordingWriter | None = writer
        self._choice = choice
        self._limits = limits

    @contextlib.contextmanager
    def deciding(self, decision: Decision, rests: str | None) -> Iterator[None]:
        """See Witness."""
        taking = _Taking(decision, rests)
        token = _taking.set(taking)
        try:
            yield
        except Exception as failure:
            if taking.look is None:
                taking.look = self._look(taking, None, str(failure), timed_out=isinstance(failure, TimeoutError))
            raise
        finally:
            _taking.reset(token)
            self._write(taking)

    def looked(self, view: MarketView, trouble: Exception | None, seen: Seen | None) -> None:
        """See Witness."""
        if (taking := _taking.get()) is not None:
            taking.look = self._look(taking, view, None if trouble is None else str(trouble), seen=seen)
            taking.asked.clear()  # by the look itself, which is kept as a whole

    def silent(self, failure: Exception) -> None:
        """See Witness."""
        note(SILENT, [], str(failure))

    def asking(self, name: str, ask: Callable[[], T]) -> Callable[[], T]:
        """See Witness."""

        def asked() -> T:
            return note(name, [], ask())

        return asked

    def clock(self, clock: Clock) -> Clock:
        """See Witness."""
        return _RecordedClock(clock)

    def books(self, books: Books) -> Books:
        """See Witness."""
        return cast(Books, _RecordedBooks(books, self.write_now))

    def gate(self, gate: EntryGate) -> EntryGate:
        """See Witness."""
        return _RecordedGate(gate)

    def market(self, market: EntryMarket) -> EntryMarket:
        """See Witness."""
        return _RecordedMarket(market)

    def approved(self) -> None:
        """See Witness. What is decided next is written after it."""
        self.write_now()

    def write_now(self) -> None:
        """Write what was noted of the decision that is made: something comes of it now."""
        if (taking := _taking.get()) is not None:
            self._write(taking)

    def close(self) -> None:
        """End the recording."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _look(
        self,
        taking: _Taking,
        view: MarketView | None,
        trouble: str | None,
        *,
        timed_out: bool = False,
        seen: Seen | None = None,
    ) -> Look:
        made = taking.decision
        return Look(
            made.tick_ms,
            made.cycle,
            made.symbol,
            self._choice(),
            view,
            trouble,
            timed_out=timed_out,
            rests=taking.rests,
            seen=seen,
            limits=dict(self._limits()),
        )

    def _write(self, taking: _Taking) -> None:
        if self._writer is None or taking.look is None:
            return
        try:
            if not taking.is_written:
                self._writer.write(taking.look, taking.asked)
            elif taking.asked:
                self._writer.write_more(taking.look, taking.asked)
        except Exception as failure:  # noqa: BLE001 (a full disk, or whatever it is: trading goes on)
            log.warning("what decisions are made on is not recorded any more: %s", failure)
            with contextlib.suppress(OSError):
                self.close()
        taking.is_written = True
        taking.asked.clear()


def note(name: str, arguments: list[str], answer: T) -> T:
    """Note an answer for the decision that is made in this task, if one is; returns it."""
    if (taking := _taking.get()) is not None:
        taking.note(name, arguments, answer)
    return answer


class _RecordedClock:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        return note(NOW, [], self._clock.now_ms())

    def monotonic_ms(self) -> float:
        return self._clock.monotonic_ms()

    async def sleep_until(self, monotonic_ms: float) -> None:
        await self._clock.sleep_until(monotonic_ms)


class _RecordedGate(EntryGate):
    def __init__(self, gate: EntryGate) -> None:
        super().__init__()
        self._gate = gate

    def refusal(self, symbol: str) -> tuple[str, str] | None:
        return note(GATE, [symbol], self._gate.refusal(symbol))


class _RecordedMarket:
    """What is asked for an entry, wherever the answer is known from; one that did not come is None."""

    def __init__(self, market: EntryMarket) -> None:
        self._market = market

    async def depth(self, symbol: str, limit: int) -> Depth:
        try:
            return note(DEPTH, [symbol], await self._market.depth(symbol, limit))
        except ExchangeError:
            note(DEPTH, [symbol], None)
            raise

    async def last_price(self, symbol: str) -> Decimal:
        try:
            return note(LAST_PRICE, [symbol], await self._market.last_price(symbol))
        except ExchangeError:
            note(LAST_PRICE, [symbol], None)
            raise


class _RecordedBooks:
    """The books: questions are noted with their answers; whoever wants to write has decided.

    Args:
        decided: called before anything is written.
    """

    def __init__(self, books: Books, decided: Callable[[], None]) -> None:
        self._books = books
        self._decided = decided

    async def consult(self, work: Callable[[BooksView], T]) -> T:
        taking = _taking.get()
        if taking is None:
            return await self._books.consult(work)
        asked: list[Question] = []  # filled in the books' thread
        try:
            answer = await self._books.consult(lambda view: work(cast(BooksView, _RecordedView(view, asked))))
        except LedgerError as failure:
            taking.note(BOOKS_FAILED, [], str(failure))
            raise
        for name, arguments, said in asked:
            taking.note(name, arguments, said)
        return answer

    async def held(self, symbol: str, rules: SymbolRules) -> Holding | None:
        try:
            return note("holding", [symbol], await self._books.held(symbol, rules))
        except LedgerError as failure:
            note(BOOKS_FAILED, [], str(failure))
            raise

    def __getattr__(self, name: str) -> Any:
        self._decided()
        return getattr(self._books, name)


class _RecordedView:
    """A view of the books that notes what it is asked."""

    def __init__(self, view: BooksView, asked: list[Question]) -> None:
        self._view = view
        self._asked = asked

    def __getattr__(self, name: str) -> Callable[..., Any]:
        ask = getattr(self._view, name)

        def noted(*arguments: Any) -> Any:
            answer = ask(*arguments)
            key = question_key(arguments)
            if isinstance(answer, Iterator):  # read as far as it is needed
                read: list[Any] = []
                self._asked.append((name, key, read))
                return _kept(answer, read)
            self._asked.append((name, key, answer))
            return answer

        return noted


def question_key(arguments: tuple[Any, ...]) -> list[str]:
    """What tells a question from others of its name: symbols and assets; numbers follow from the decision's look."""
    return [each for each in arguments if isinstance(each, str)]


def _kept(answers: Iterator[T], read: list[T]) -> Iterator[T]:
    for each in answers:
        read.append(each)
        yield each


@contextlib.contextmanager
def recording(
    writer: Callable[[], RecordingWriter],
    choice: Callable[[], StrategyChoice],
    limits: Callable[[], Mapping[str, str]] = dict,
) -> Iterator[Witness]:
    """A recorder until the end of the context; one that keeps nothing, which is said, when it cannot be begun."""
    try:
        recorder = Recorder(writer(), choice, limits)
    except OSError as failure:
        log.warning("what decisions are made on is not recorded: %s", failure)
        yield Witness()
        return
    try:
        yield recorder
    finally:
        recorder.close()
