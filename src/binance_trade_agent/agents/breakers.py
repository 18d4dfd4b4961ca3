"""Breakers: a limit on losses that is passed begins a pause, in which no position is entered.

What begins a pause is judged by the ledger alone, as of its last point of equity and its last exits. So it does not
matter who looks, or when: a daemon that was killed between a loss and its pause begins the same pause after its start.
"""

import logging
from collections.abc import Iterator, Mapping
from decimal import Decimal

from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.ledger.books import Books, BooksView
from binance_trade_agent.ledger.equity import Mark
from binance_trade_agent.ledger.pauses import CONSECUTIVE_LOSSES, DAILY_LOSS, DRAWDOWN
from binance_trade_agent.ledger.risk_state import losses_in_row
from binance_trade_agent.risk.rules import counted, percent, shown
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.risk.state import Pause, RiskState

log = logging.getLogger(__name__)


class Breakers:
    """Begins pauses for drawdown, for the day's loss and for losses in a row, and says when they begin and end.

    Args:
        quote_asset: what equity is counted in.
        settings: its limits and the lengths of the pauses; a limit of 0 begins none.
    """

    def __init__(self, books: Books, clock: Clock, settings: RiskSettings, quote_asset: str) -> None:
        self._books = books
        self._clock = clock
        self._settings = settings
        self._quote_asset = quote_asset
        self._lasting: Mapping[str, Pause] = {}

    def use(self, settings: RiskSettings) -> None:
        """Go by other limits from now on; a pause that has begun lasts as long as it was to."""
        self._settings = settings

    async def look(self) -> None:
        """Begin what is due: at the start before anything is recorded, after each point of equity, and after fills.

        Raises:
            LedgerError: the ledger could not be read, or a pause not be written; it is begun at the next look.
        """
        now_ms = self._clock.now_ms()
        if due := await self._books.consult(lambda books: list(self._due(books, now_ms))):
            await self._books.begin_pauses(due)
        for pause in due:
            if pause.until_ms <= now_ms:
                log.warning(
                    "a limit was passed, and its pause until %s is over already: %s", _until(pause), pause.detail
                )
        self._tell(await self._books.consult(lambda books: books.active_pauses(now_ms)), now_ms)

    def _tell(self, lasting: Mapping[str, Pause], now_ms: int) -> None:
        for rule, pause in lasting.items():
            if self._lasting.get(rule) != pause:
                log.warning("no position is entered until %s: %s", _until(pause), pause.detail)
        for rule, pause in self._lasting.items():
            if rule not in lasting and pause.until_ms <= now_ms:
                log.info("the pause for %s is over since %s", rule, _until(pause))
        self._lasting = lasting

    def _due(self, books: BooksView, now_ms: int) -> Iterator[Pause]:
        if last := books.latest_mark(self._quote_asset):
            measured = _measured(last, books.day_start(self._quote_asset, last.tick_ms))
            for pause in self._of_equity(measured, last.tick_ms):
                if not books.is_paused_at(pause.rule, last.tick_ms):
                    yield pause
        most = self._settings.max_consecutive_losses
        losses = losses_in_row(books, now_ms, most)
        if most and len(losses) == most:
            closed_ms = losses[0].closed_ms
            if not books.is_paused_at(CONSECUTIVE_LOSSES, closed_ms):
                yield self._of_losses(losses[0].symbol, closed_ms)

    def _of_equity(self, state: RiskState, at_ms: int) -> Iterator[Pause]:
        drawdown, daily = self._settings.max_drawdown_pct, self._settings.max_daily_loss_pct
        now = f"equity {shown(state.equity_quote, self._quote_asset)} is"
        if drawdown and state.drawdown_pct >= drawdown and state.peak_quote is not None:
            high = shown(state.peak_quote, self._quote_asset)
            detail = f"{now} {percent(state.drawdown_pct)} below its highest, {high}; the limit is {percent(drawdown)}"
            yield Pause(DRAWDOWN, at_ms, at_ms + self._settings.drawdown_pause_minutes * MINUTE_MS, detail)
        if daily and state.daily_loss_pct >= daily and state.day_quote is not None:
            start = shown(state.day_quote, self._quote_asset)
            fall = f"{percent(state.daily_loss_pct)} below {start}, where the UTC day began"
            midnight_ms = at_ms - at_ms % DAY_MS + DAY_MS
            yield Pause(DAILY_LOSS, at_ms, midnight_ms, f"{now} {fall}; the limit is {percent(daily)}")

    def _of_losses(self, symbol: str, closed_ms: int) -> Pause:
        most = self._settings.max_consecutive_losses
        row = counted(most, "exit at a loss", "exits in a row at a loss")
        detail = f"{row}, the last on {symbol} at {iso_second(closed_ms)}; the limit is {most}"
        until_ms = closed_ms + self._settings.loss_pause_minutes * MINUTE_MS
        return Pause(CONSECUTIVE_LOSSES, closed_ms, until_ms, detail)


def _measured(last: Mark, day_start_quote: Decimal | None) -> RiskState:
    """Equity, peak and beginning of the day at the last point, with what had come from outside by then counted in."""
    external = last.external_quote
    return RiskState(
        equity_quote=last.adjusted_quote + external,
        peak_quote=last.peak_quote + external,
        day_quote=None if day_start_quote is None else day_start_quote + external,
    )


def _until(pause: Pause) -> str:
    return iso_second(pause.until_ms)
