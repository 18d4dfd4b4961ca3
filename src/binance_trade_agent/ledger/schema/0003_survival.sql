-- What an order is for, what it protects at, who answers for it and until when its outcome has to be known.
ALTER TABLE orders ADD COLUMN role TEXT NOT NULL DEFAULT 'ENTRY';
ALTER TABLE orders ADD COLUMN stop_price TEXT;
ALTER TABLE orders ADD COLUMN list_id TEXT;
ALTER TABLE orders ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN deadline_ms INTEGER;
ALTER TABLE orders ADD COLUMN cancel_requested_ms INTEGER;
-- The decision that the order came of, without the generation of the daemon: one decision, one order.
ALTER TABLE orders ADD COLUMN decision_key TEXT;
UPDATE orders SET owner = run_id, role = CASE side WHEN 'BUY' THEN 'ENTRY' ELSE 'EXIT' END,
    decision_key = client_order_id;

CREATE UNIQUE INDEX orders_by_decision ON orders (decision_key);
CREATE INDEX orders_by_exchange_id ON orders (epoch, symbol, exchange_order_id);
CREATE INDEX orders_by_creation ON orders (epoch, created_ms);
CREATE INDEX fills_by_time ON fills (epoch, symbol, side, traded_ms);

-- Which generation of the daemon on its account a run is; it stands in the client order ids.
ALTER TABLE runs ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;

-- Up to which trade of the account, ours or not, each symbol was read; moved when ours among them are booked.
CREATE TABLE trade_cursors (
    epoch INTEGER NOT NULL REFERENCES epochs,
    symbol TEXT NOT NULL,
    trade_id INTEGER NOT NULL,
    PRIMARY KEY (epoch, symbol)
) STRICT, WITHOUT ROWID;

-- What is wrong and needs a person to look. One that blocks keeps its subject (a symbol, or '' for all) from entering.
CREATE TABLE alarms (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    raised_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    times INTEGER NOT NULL,
    blocks INTEGER NOT NULL CHECK (blocks IN (0, 1)),
    text TEXT NOT NULL,
    cleared_ms INTEGER,
    PRIMARY KEY (kind, subject, raised_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX alarms_standing ON alarms (kind, subject) WHERE cleared_ms IS NULL;

-- Commission in an asset that is neither base nor quote, converted once: priced_ms is NULL until then. A price that could
-- not be had is NULL: unknown is unknown, never 0.
CREATE TABLE fee_values (
    epoch INTEGER NOT NULL REFERENCES epochs,
    symbol TEXT NOT NULL,
    trade_id INTEGER NOT NULL,
    asset TEXT NOT NULL,
    amount TEXT NOT NULL,
    quote_asset TEXT NOT NULL,
    price TEXT,
    value_quote TEXT,
    priced_ms INTEGER,
    PRIMARY KEY (epoch, symbol, trade_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX fee_values_to_convert ON fee_values (epoch) WHERE priced_ms IS NULL;
