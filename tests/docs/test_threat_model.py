"""The tests and files that docs/concepts/threat-model.md names are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODEL = (ROOT / "docs" / "concepts" / "threat-model.md").read_text(encoding="utf-8")
TESTS = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", MODEL)


@pytest.mark.parametrize(("file", "test"), TESTS, ids=[test for _, test in TESTS])
def test_each_test_that_is_named_is_there(file, test):
    assert re.search(rf"def {test}\(", (ROOT / file).read_text("utf-8"))


def test_each_file_that_is_named_is_there():
    defences = MODEL.partition("## Not defended")[0]
    named = set(re.findall(r"`([\w./-]+(?:/|\.py|\.yml)|Dockerfile)`", defences))
    assert {"ops/logging.py", "docker-compose.yml", "mcp_server/trading/"} <= named
    assert [
        name for name in named if not any((ROOT / at / name).exists() for at in (".", "src/binance_trade_agent"))
    ] == []
