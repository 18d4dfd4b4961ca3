"""docs/survival.md names the tests of each row, and the tests that it names are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [f"S{number:02}" for number in range(1, 33)]


def named() -> dict[str, set[tuple[str, str]]]:
    """(file, test) by row, as the page has them."""
    rows: dict[str, set[tuple[str, str]]] = {}
    row, file = "", ""
    for line in (ROOT / "docs" / "survival.md").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"## (S\d\d):", line):
            row = found[1]
            rows[row] = set()
        elif found := re.match(r"`(tests/\S+\.py)`:", line):
            file = found[1]
        elif found := re.match(r"- `(test_\w+)`", line):
            rows[row].add((file, found[1]))
    return rows


def there() -> dict[str, set[tuple[str, str]]]:
    """(file, test) by row, as the tests have them."""
    rows: dict[str, set[tuple[str, str]]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in re.findall(r"def (test_s\d\d_\w+)\(", path.read_text(encoding="utf-8")):
            row = name.split("_")[1].upper()
            rows.setdefault(row, set()).add((str(path.relative_to(ROOT)), name))
    return rows


def test_every_row_has_tests_and_the_page_names_each_of_them():
    page, tests = named(), there()
    assert list(page) == ROWS
    for row in ROWS:
        assert page[row], f"{row} has no test"
        assert page[row] == tests[row], row
