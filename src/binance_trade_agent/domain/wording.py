"""Times as text."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_utc(at_ms: int) -> str:
    """`2026-01-05T14:36:00.000Z`."""
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_second(at_ms: int) -> str:
    """`2026-01-05T14:36:00Z`."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock_time(at_ms: int) -> str:
    """`14:36:00`, UTC."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).strftime("%H:%M:%S")


def compact_utc(at_ms: int) -> str:
    """`20260105T143600Z`, for names of files."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y%m%dT%H%M%SZ")
