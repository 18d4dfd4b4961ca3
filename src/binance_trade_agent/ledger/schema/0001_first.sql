-- Amounts are TEXT in plain decimal notation, times are integer milliseconds UTC of market time unless the name says wall.
-- Keys are natural and tables have no row ids, so that the same decisions leave the same contents.

CREATE TABLE epochs (
    epoch INTEGER NOT NULL PRIMARY KEY,
    opened_ms INTEGER NOT NULL,
    closed_ms INTEGER,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,
    epoch INTEGER NOT NULL REFERENCES epochs,
    mode TEXT NOT NULL,
    strategy TEXT NOT NULL,
    symbols TEXT NOT NULL,
    settings_json TEXT NOT NULL,
    exchange TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    started_wall_ms INTEGER NOT NULL,
    ended_wall_ms INTEGER,
    pid INTEGER NOT NULL,
    end_reason TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    run_id TEXT NOT NULL REFERENCES runs,
    tick_ms INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    cycle INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    rule TEXT,
    client_order_id TEXT,
    bid TEXT,
    ask TEXT,
    candle_age_ms INTEGER,
    book_age_ms INTEGER,
    strategy TEXT,
    action TEXT,
    confidence REAL,
    reason TEXT,
    indicators_json TEXT,
    candle_open_ms INTEGER,
    PRIMARY KEY (run_id, tick_ms, symbol)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    client_order_id TEXT NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL REFERENCES epochs,
    run_id TEXT NOT NULL REFERENCES runs,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    type TEXT NOT NULL,
    quantity TEXT NOT NULL,
    price TEXT,
    reference_price TEXT NOT NULL,
    tick_ms INTEGER NOT NULL,
    candle_open_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    exchange_order_id INTEGER,
    executed_base TEXT NOT NULL,
    executed_quote TEXT NOT NULL,
    filled_base TEXT NOT NULL,
    filled_quote TEXT NOT NULL,
    settled INTEGER NOT NULL CHECK (settled IN (0, 1)),
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX orders_unsettled ON orders (epoch) WHERE settled = 0;
CREATE INDEX orders_by_run ON orders (run_id);

CREATE TABLE order_events (
    client_order_id TEXT NOT NULL REFERENCES orders,
    sequence INTEGER NOT NULL,
    state TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    executed_base TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (client_order_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE fills (
    epoch INTEGER NOT NULL REFERENCES epochs,
    symbol TEXT NOT NULL,
    trade_id INTEGER NOT NULL,
    exchange_order_id INTEGER NOT NULL,
    client_order_id TEXT NOT NULL REFERENCES orders,
    side TEXT NOT NULL,
    price TEXT NOT NULL,
    quantity TEXT NOT NULL,
    quote_quantity TEXT NOT NULL,
    commission TEXT NOT NULL,
    commission_asset TEXT NOT NULL,
    is_maker INTEGER NOT NULL CHECK (is_maker IN (0, 1)),
    traded_ms INTEGER NOT NULL,
    PRIMARY KEY (epoch, symbol, trade_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX fills_by_order ON fills (client_order_id);

-- Double entry: the amounts of one (epoch, kind, reference) sum to zero for each asset.
CREATE TABLE postings (
    epoch INTEGER NOT NULL REFERENCES epochs,
    kind TEXT NOT NULL CHECK (kind IN ('opening', 'fill', 'external')),
    reference TEXT NOT NULL,
    line INTEGER NOT NULL,
    asset TEXT NOT NULL,
    account TEXT NOT NULL CHECK (account IN ('wallet', 'market', 'fees', 'external')),
    amount TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (epoch, kind, reference, line)
) STRICT, WITHOUT ROWID;

-- Projections: moved in the transaction of the postings and fills that they sum up.
CREATE TABLE wallets (
    epoch INTEGER NOT NULL REFERENCES epochs,
    asset TEXT NOT NULL,
    amount TEXT NOT NULL,
    PRIMARY KEY (epoch, asset)
) STRICT, WITHOUT ROWID;

CREATE TABLE positions (
    epoch INTEGER NOT NULL REFERENCES epochs,
    symbol TEXT NOT NULL,
    base_asset TEXT NOT NULL,
    quote_asset TEXT NOT NULL,
    quantity TEXT NOT NULL,
    cost_quote TEXT NOT NULL,
    realised_pnl_quote TEXT NOT NULL,
    opened_ms INTEGER,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (epoch, symbol)
) STRICT, WITHOUT ROWID;

CREATE TABLE equity (
    run_id TEXT NOT NULL REFERENCES runs,
    tick_ms INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    equity_quote TEXT NOT NULL,
    cash_quote TEXT NOT NULL,
    positions_quote TEXT NOT NULL,
    realised_pnl_quote TEXT NOT NULL,
    unrealised_pnl_quote TEXT NOT NULL,
    PRIMARY KEY (run_id, tick_ms, cycle)
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
    command_id INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    payload_json TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_wall_ms INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('PENDING', 'DONE', 'REFUSED')),
    answer TEXT NOT NULL,
    done_ms INTEGER
) STRICT, WITHOUT ROWID;
