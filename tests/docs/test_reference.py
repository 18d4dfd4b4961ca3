import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from binance_trade_agent.settings import setting_names

ROOT = Path(__file__).parents[2]
GENERATE = ROOT / "docs" / "reference" / "generate.py"


def generate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, GENERATE, *arguments], capture_output=True, text=True, check=False)


def pages() -> list[Path]:
    found = (path.relative_to(ROOT) for path in ROOT.rglob("*.md"))
    return sorted(path for path in found if not any(part.startswith(".") for part in path.parts))


def headings(page: Path) -> set[str]:
    """Anchors of a page: those that GitHub makes of headings, and those that are written."""
    text = page.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return made | set(re.findall(r'<a id="([\w-]+)"></a>', text))


def test_reference_pages_say_what_the_code_says():
    checked = generate("--check")
    assert checked.returncode == 0, checked.stderr


def test_a_stale_page_fails_the_check_and_is_named(tmp_path):
    assert generate(tmp_path).returncode == 0
    (tmp_path / "settings.md").write_text("changed by hand", encoding="utf-8")
    checked = generate("--check", tmp_path)
    assert checked.returncode == 1
    assert checked.stderr.splitlines() == [
        f"{tmp_path / 'settings.md'} is stale: run `python docs/reference/generate.py`."
    ]


def test_every_setting_has_one_row_on_its_page():
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == sorted(setting_names())


@pytest.mark.parametrize("page", pages(), ids=str)
def test_relative_links_lead_to_a_file_and_a_heading(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / unquote(name) if name else ROOT / page
        assert target.exists(), f"{page} links to {link}, which is not there"
        assert not anchor or anchor in headings(target), f"{page} links to {link}, which is no heading there"
