"""Whether the trader lives (health), and whether it trades or may trade (readiness): asked by pages and by machines."""

from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ops.health import Health, Readiness, health_at, readiness, told_at
from binance_trade_agent.ops.vitals import Vitals


def told_of(desk: Desk, health: Health) -> Vitals | None:
    """What the trader that runs tells of itself; None while none does, or before it tells anything."""
    return told_at(desk.ledger_path, health)


def health_of(desk: Desk) -> Health:
    """Whether the trader lives now: by its heartbeat, and by whether a process holds the ledger."""
    return health_at(desk.ledger_path)


async def readiness_of(desk: Desk, health: Health) -> Readiness:
    """Whether positions may be entered now, and what is missing."""
    if not health.is_healthy:
        return Readiness((health.sentence,))
    told, configured = told_of(desk, health), desk.settings.trading_symbols
    try:
        return await desk.read(lambda connection: readiness(connection, health, told, configured))
    except LedgerError:
        return Readiness(("The ledger cannot be read.",))
