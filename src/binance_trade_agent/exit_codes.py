"""Exit codes, which the supervisor acts on."""

OK = 0
FAILURE = 1
WRONG_CONFIGURATION = 2  # also wrong keys, and a trader that runs already: a restart would change nothing
NOT_RECONCILED = 3
INTERRUPTED = 130  # by Ctrl-C, before there was anything to tell
