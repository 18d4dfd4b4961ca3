-- With many symbols a decision that says what the symbol's last one says is not written again: it is noted with that
-- one how often, and when last, the same was decided at a later tick.
CREATE TABLE decisions_again (
    run_id TEXT NOT NULL,
    tick_ms INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    times INTEGER NOT NULL,
    last_tick_ms INTEGER NOT NULL,
    last_cycle INTEGER NOT NULL,
    PRIMARY KEY (run_id, tick_ms, symbol)
) STRICT, WITHOUT ROWID;
