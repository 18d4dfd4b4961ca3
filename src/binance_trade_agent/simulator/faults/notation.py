"""Faults as people write them, in JSON or TOML.

One form is documented: flat, `{"kind": "weight", "used": 5990, "method": "GET"}`. The notation of binance-protocol.md
Appendix A is read as well: `{"weight": {"used": 5990}}`, the matcher in an object `match`, and other names for `kind`.
"""

from fnmatch import fnmatchcase
from typing import Any

from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.simulator.endpoints.catalogue import BY_PATH, BY_WEBSOCKET_METHOD
from binance_trade_agent.simulator.faults.kinds import KINDS, Fault, WsNoUpgrade, bare_path
from binance_trade_agent.simulator.fields import read_choice, read_fields

_NAMES_OF_KIND = ("kind", "type", "fault", "name")
_NAMES_OF_MATCHER = ("match", "matcher")
_SESSION_METHODS = "session.*", "userDataStream.*"
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "WS"})


def read_fault(value: Any) -> Fault:
    """A fault from the body of POST /sim/fault or from an entry of a schedule.

    Raises:
        ValueError: one sentence that names the field.
    """
    if not isinstance(value, dict):
        raise ValueError(f"a fault must be an object, not {value!r}")  # noqa: TRY004 (answered like other mistakes)
    fields = _flat(value)
    kind = read_choice(fields.pop("kind", None), sorted(KINDS), "fault kind")
    _use_our_names(fields)
    fault = read_fields(fields, KINDS[kind], f"fault {kind}")
    if fault.path is not None and not isinstance(fault, WsNoUpgrade):
        _check_path(fault.path)
    return fault


def _check_path(path: str) -> None:
    """Refuse a path that no request can have.

    Raises:
        ValueError: neither REST nor the WebSocket API knows it.
    """
    known = [*map(bare_path, BY_PATH), *BY_WEBSOCKET_METHOD, "userDataStream"]
    if any(fnmatchcase(name, path) for name in known) or any(fnmatchcase(path, each) for each in _SESSION_METHODS):
        return
    near = nearest(path, known)
    hint = f"; did you mean {near}?" if near else ""
    raise ValueError(f"fault path {path!r} matches no path of REST and no method of the WebSocket API{hint}")


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    """Kind, own fields and matcher on one level."""
    fields: dict[str, Any] = {}
    for name, inner in value.items():
        if name in _NAMES_OF_MATCHER and isinstance(inner, dict):
            fields |= inner
        elif name in KINDS and (isinstance(inner, dict) or inner is True):
            fields |= {"kind": name, **(inner if isinstance(inner, dict) else {})}
        elif name in _NAMES_OF_KIND and "kind" not in fields:
            fields["kind"] = inner
        else:
            fields[name] = inner
    return fields


def _use_our_names(fields: dict[str, Any]) -> None:
    """`skip` as `nth`, a method of the WebSocket API as `path`, and paths without the root that all of REST has."""
    if isinstance(fields.get("skip"), int) and "nth" not in fields:
        fields["nth"] = fields.pop("skip") + 1
    if "apiKey" in fields:
        fields["key"] = fields.pop("apiKey")
    if "ws_method" in fields:
        fields |= {"method": "WS", "path": fields.pop("ws_method")}
    method = fields.get("method")
    if isinstance(method, str) and method.upper() in _METHODS:
        fields["method"] = method.upper()
    elif isinstance(method, str) and "path" not in fields:
        fields |= {"method": "WS", "path": method}
    if isinstance(fields.get("path"), str):
        method, separated, path = fields["path"].partition(" ")
        if separated and method.upper() in _METHODS:
            fields.setdefault("method", method.upper())
            fields["path"] = path.strip()
        fields["path"] = bare_path(fields["path"])
