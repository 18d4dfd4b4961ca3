"""Faults that change the exchange: limits used up, a clock that is off, keys revoked, the monthly reset."""

from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.faults.kinds import (
    Ban,
    ClockSkew,
    Fault,
    MonthlyReset,
    OrdersUsed,
    RevokeKey,
    Weight,
)
from binance_trade_agent.simulator.keys import ApiKey, Permission
from binance_trade_agent.simulator.limits import Limits


class StateFaults:
    """Does to an exchange and to its limits what faults say."""

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self._exchange = exchange
        self._limits = limits
        self._revoked: dict[int, list[ApiKey]] = {}

    def begin(self, fault: Fault) -> None:
        """Let a fault of state happen."""
        exchange, now_ms = self._exchange, self._exchange.limits_now_ms()
        match fault:
            case Ban():
                self._limits.ban_all(fault.seconds, now_ms)
            case Weight():
                self._limits.set_used_by_all(fault.used, now_ms)
            case OrdersUsed():
                for account in exchange.engine.accounts if fault.account is None else [fault.account]:
                    exchange.order_count(account).set_used(fault.n, now_ms)
            case ClockSkew():
                exchange.timestamps.skew_ms = fault.ms
            case RevokeKey():
                self._revoke(fault)
            case MonthlyReset():
                exchange.monthly_reset()

    def end(self, fault: Fault) -> None:
        """Undo a fault that lasts."""
        match fault:
            case ClockSkew():
                self._exchange.timestamps.skew_ms = 0
            case RevokeKey():
                for key in self._revoked.pop(id(fault), []):
                    self._exchange.access.register(key)

    def _revoke(self, fault: RevokeKey) -> None:
        access = self._exchange.access
        chosen = [
            key
            for key in access.keys
            if key.key == fault.key or (fault.key is None and Permission.TRADE in key.permissions)
        ]
        for key in chosen:
            access.revoke(key.key)
        self._revoked.setdefault(id(fault), []).extend(chosen)
