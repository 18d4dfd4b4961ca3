-- The position after every hundredth fill of a symbol, by trade id: a fill that comes late is put in its place from the
-- mark before it, not from the first fill on.
CREATE TABLE position_marks (
    epoch INTEGER NOT NULL REFERENCES epochs,
    symbol TEXT NOT NULL,
    trade_id INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    cost_quote TEXT NOT NULL,
    realised_pnl_quote TEXT NOT NULL,
    opened_ms INTEGER,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (epoch, symbol, trade_id)
) STRICT, WITHOUT ROWID;
