"""Faults as people write them, in JSON or TOML.

One form is documented: flat, `{"kind": "weight", "used": 5990, "method": "GET"}`. The notation of binance-protocol.md
Appendix A is read as well: `{"weight": {"used": 5990}}`, the matcher in an object `match`, and other names for `kind`.
"""

from typing import Any

from binance_trade_agent.simulator.faults.kinds import KINDS, Fault
from binance_trade_agent.simulator.fields import read_choice, read_fields

_NAMES_OF_KIND = ("kind", "type", "fault", "name")
_NAMES_OF_MATCHER = ("match", "matcher")
_REST_ROOT = "/api/v3/"
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
    return read_fields(fields, KINDS[kind], f"fault {kind}")


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
    if "ws_method" in fields:
        fields |= {"method": "WS", "path": fields.pop("ws_method")}
    method = fields.get("method")
    if isinstance(method, str) and method.upper() in _METHODS:
        fields["method"] = method.upper()
    elif isinstance(method, str) and "path" not in fields:
        fields |= {"method": "WS", "path": method}
    if isinstance(fields.get("path"), str):
        fields["path"] = fields["path"].removeprefix(_REST_ROOT)
