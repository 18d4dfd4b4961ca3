-- What each rule found, the last candles that were seen, and what made the bot leave a position.
ALTER TABLE decisions ADD COLUMN exit TEXT;
ALTER TABLE decisions ADD COLUMN exit_reason TEXT;
ALTER TABLE decisions ADD COLUMN findings_json TEXT;
ALTER TABLE decisions ADD COLUMN candles_json TEXT;
ALTER TABLE decisions ADD COLUMN candle_count INTEGER;
-- An exit's cause, and the average true range at an entry, by which its stop and target may be set.
ALTER TABLE orders ADD COLUMN exit TEXT;
ALTER TABLE orders ADD COLUMN atr_quote TEXT;
UPDATE orders SET exit = CASE role WHEN 'STOP_LOSS' THEN 'stop_loss' WHEN 'TAKE_PROFIT' THEN 'take_profit'
    WHEN 'EXIT' THEN 'strategy' END;

CREATE INDEX orders_of_stops ON orders (epoch, symbol, exchange_order_id) WHERE role = 'STOP_LOSS';
CREATE INDEX decisions_by_symbol ON decisions (symbol, tick_ms);

-- What came from outside in the quote asset, or went there when negative, since the epoch began: it is no profit.
ALTER TABLE equity ADD COLUMN external_quote TEXT NOT NULL DEFAULT '0';
-- Points of one epoch and quote asset can be compared. peak_quote: the highest equity less external_quote, of the point
-- and those before it since the last pause for drawdown ended. NULL: from before this was noted; no limit looks at it.
ALTER TABLE equity ADD COLUMN quote_asset TEXT;
ALTER TABLE equity ADD COLUMN epoch INTEGER REFERENCES epochs;
ALTER TABLE equity ADD COLUMN peak_quote TEXT;

CREATE INDEX equity_by_time ON equity (epoch, quote_asset, tick_ms, cycle) WHERE epoch IS NOT NULL;

-- Projection: what came from outside and went there, in each asset. Without a row the postings have not been summed up.
CREATE TABLE external_sums (
    epoch INTEGER NOT NULL REFERENCES epochs,
    asset TEXT NOT NULL,
    amount TEXT NOT NULL,
    PRIMARY KEY (epoch, asset)
) STRICT, WITHOUT ROWID;

-- Times in which no position is entered because a limit was passed.
CREATE TABLE pauses (
    epoch INTEGER NOT NULL REFERENCES epochs,
    rule TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (epoch, rule, since_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX pauses_by_end ON pauses (epoch, until_ms);

-- Which strategy decides from when on. configured_json: what the settings said then; while they say the same, a change
-- that was asked for holds over restarts.
CREATE TABLE strategy_changes (
    number INTEGER NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs,
    at_ms INTEGER NOT NULL,
    requested_by TEXT NOT NULL,
    strategy TEXT NOT NULL,
    params_json TEXT NOT NULL,
    configured_json TEXT NOT NULL
) STRICT, WITHOUT ROWID;
