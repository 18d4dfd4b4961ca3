"""Faults on request: what goes wrong, for which requests, and how often (binance-protocol.md Appendix A)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from binance_trade_agent.domain.nearest import nearest


class FaultKind(StrEnum):
    """What happens to a request.

    DROP_AFTER: carried out, then the connection is closed without an answer. TIMEOUT_AFTER: carried out, never
    answered. UNKNOWN_EXECUTED, UNKNOWN_NOT_EXECUTED: carried out or not, answered with 504 -1007. HTTP: not carried
    out, answered with `status` and `body`. LATENCY: carried out after `ms`.
    """

    DROP_AFTER = "drop_after"
    TIMEOUT_AFTER = "timeout_after"
    UNKNOWN_EXECUTED = "unknown_executed"
    UNKNOWN_NOT_EXECUTED = "unknown_not_executed"
    HTTP = "http"
    LATENCY = "latency"


@dataclass(slots=True)
class Fault:
    """A fault and the requests that it meets.

    Attributes:
        method, path: of the requests; None matches any. Without the /api/v3 in front a path is completed.
        skip: how many matching requests are let through first.
        count: how many are met after those; None: all.
        status, body, retry_after_seconds: of the answer of an HTTP fault.
        ms: real milliseconds of a LATENCY fault.
    """

    kind: FaultKind
    method: str | None = None
    path: str | None = None
    skip: int = 0
    count: int | None = 1
    status: int = 503
    body: str = ""
    retry_after_seconds: int | None = None
    ms: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is one of those."""
        return self.method in {None, method} and self.path in {None, path}

    def takes(self) -> bool:
        """Count a matching request; True when the fault meets it."""
        if self.skip:
            self.skip -= 1
            return False
        if self.count is not None:
            self.count -= 1
        return True


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._faults: dict[int, Fault] = {}
        self._last_id = 0

    def add(self, fault: Fault) -> int:
        """Switch a fault on; returns its number."""
        self._last_id += 1
        self._faults[self._last_id] = fault
        return self._last_id

    def remove(self, number: int) -> bool:
        """Switch a fault off; False when it was not on."""
        return self._faults.pop(number, None) is not None

    def meeting(self, method: str, path: str) -> Fault | None:
        """The first fault that meets this request."""
        for number, fault in list(self._faults.items()):
            if fault.matches(method, path) and fault.takes():
                if fault.count == 0:
                    del self._faults[number]
                return fault
        return None


def fault_from_json(value: dict[str, Any]) -> Fault:
    """A fault from the body of POST /sim/fault.

    Raises:
        ValueError: one sentence that names the field.
    """
    fields = dict(value)
    kind = fields.pop("kind", None)
    kinds = [str(known) for known in FaultKind]
    if kind not in kinds:
        near = nearest(str(kind), kinds)
        hint = f"; did you mean {near}?" if near else ""
        raise ValueError(f"fault kind {kind!r} is unknown, known are {', '.join(kinds)}{hint}")
    types: dict[str, type] = {
        "method": str,
        "path": str,
        "skip": int,
        "count": int,
        "status": int,
        "body": str,
        "retry_after_seconds": int,
        "ms": int,
    }
    for name, field in fields.items():
        if name not in types:
            near = nearest(name, types)
            raise ValueError(f"fault field {name!r} is unknown, known are {', '.join(types)}; nearest is {near}")
        if not isinstance(field, types[name]) and not (name == "count" and field is None):
            raise ValueError(f"fault field {name!r} must be {types[name].__name__}, not {field!r}")
    if "path" in fields and not fields["path"].startswith("/"):
        fields["path"] = f"/api/v3/{fields['path']}"
    return Fault(FaultKind(kind), **fields)
