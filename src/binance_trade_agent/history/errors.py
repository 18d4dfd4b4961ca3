"""What goes wrong with recorded candles."""


class HistoryError(Exception):
    """A file, a folder or a period that cannot be used; the message is one sentence for a person."""


class AbsentError(HistoryError):
    """Of this symbol and interval there are no candles."""
