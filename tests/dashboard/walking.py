"""Every route of the dashboard, with an address that fits its parameters."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

from fastapi.routing import APIRoute

from binance_trade_agent.dashboard.app import PAGES
from tests.dashboard.served import Served

# What parameters without a default are given here, by name or else by type.
_BY_NAME = {"symbol": "BTCUSDT", "interval": "1m", "command_id": 1}
_BY_TYPE = {"integer": 1, "number": 1, "boolean": "true", "string": "x"}


def routes(method: str) -> list[APIRoute]:
    """All routes of pages that take `method`."""
    return [
        route
        for page in PAGES
        for route in page.router.routes
        if isinstance(route, APIRoute) and method in (route.methods or ())
    ]


def addresses(served: Served, method: str = "GET") -> Iterator[str]:
    """An address of each of them; parameters that it must have are given."""
    described = served.inner.openapi()["paths"]
    for route in routes(method):
        operation = described.get(route.path, {}).get(method.lower(), {})
        given = {(p["in"], p["name"]): _value(p) for p in operation.get("parameters", ()) if p.get("required")}
        path = route.path
        for name in re.findall(r"{([a-z_]+)", path):
            path = re.sub(rf"{{{name}[^}}]*}}", str(given["path", name]), path)
        query = {name: value for (place, name), value in given.items() if place == "query"}
        yield f"{path}?{urlencode(query)}" if query else path


def _value(parameter: dict) -> object:
    schema = parameter["schema"]
    if "enum" in schema:
        return schema["enum"][0]
    return _BY_NAME.get(parameter["name"], _BY_TYPE.get(schema.get("type", ""), "x"))
