-- What a decision was made on (findings, indicators and candles, as JSON), made small by ledger/packing.py. Decisions of
-- before have it as text in columns of their own.
ALTER TABLE decisions ADD COLUMN packed BLOB;

-- Up to which tick the run's decisions were thinned out, because they were old (LEDGER_KEEP_DECISIONS_DAYS); NULL: none.
ALTER TABLE runs ADD COLUMN thinned_ms INTEGER;

-- How many of a run's decisions on a symbol that ended so were thinned out: reports count them still.
CREATE TABLE thinned_decisions (
    run_id TEXT NOT NULL REFERENCES runs,
    symbol TEXT NOT NULL,
    outcome TEXT NOT NULL,
    times INTEGER NOT NULL,
    PRIMARY KEY (run_id, symbol, outcome)
) STRICT, WITHOUT ROWID;

-- The last time that the rules were asked about an entry is found however long ago it is.
CREATE INDEX decisions_of_entries ON decisions (run_id, symbol, tick_ms) WHERE action = 'BUY' AND exit IS NULL;
