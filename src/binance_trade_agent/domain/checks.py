"""How something that was checked is, as a line for a person: of the machine (doctor), or of a strategy."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Checked:
    """One line: what was checked, how it is, and when it is not well what to do."""

    subject: str
    verdict: Verdict
    text: str

    def __str__(self) -> str:
        return f"{self.verdict:8} {self.subject:10} {self.text}"
