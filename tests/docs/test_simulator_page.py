"""The clients of docs/simulator.md that it calls tried: their very lines, run against an exchange."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.exchange_process import running_exchange

PAGE = Path(__file__).parents[2] / "docs" / "simulator.md"


def snippets() -> dict[str, str]:
    """The Python code under each heading of the page."""
    found = re.findall(
        r"^### ([^\n]+)\n(?:(?!^###).)*?```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return dict(found)


def test_every_client_that_is_called_tried_has_its_code_here():
    titles = re.findall(r"^### (.+ \(tried\))$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(titles) == 2
    assert list(snippets()) == titles


@pytest.mark.parametrize("client", snippets())
async def test_code_of_the_page_trades_and_listens(client, capsys):
    async with running_exchange(speed=Decimal(60)) as exchange:
        code = snippets()[client].replace("127.0.0.1:8090", exchange.url.removeprefix("http://"))
        names: dict = {}
        exec(compile(code, str(PAGE), "exec"), names)
        await names["main"]()
        state = await exchange.state()
        assert [order["status"] for order in state["orders"]] == ["FILLED"]
    status, price = capsys.readouterr().out.split()
    assert status in {"FILLED", "closed"}
    assert float(price) > 0
