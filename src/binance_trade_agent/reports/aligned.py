"""Rows of text in columns, for reports that people read in a terminal."""

from collections.abc import Collection, Iterator, Sequence


def aligned(rows: Sequence[Sequence[str]], *, right: Collection[int] = (), indent: str = "  ") -> Iterator[str]:
    """A line for each row, its cells in columns two blanks apart; those whose number is in `right` end together."""
    width = max((len(row) for row in rows), default=0)
    widths = [max(len(row[column]) for row in rows if column < len(row)) for column in range(width)]
    for row in rows:
        cells = (
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        )
        yield f"{indent}{'  '.join(cells)}".rstrip()
