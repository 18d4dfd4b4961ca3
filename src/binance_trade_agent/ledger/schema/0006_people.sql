-- The order that a command asked for: its life is followed by this name.
ALTER TABLE commands ADD COLUMN client_order_id TEXT;

-- Limits that a person has changed while a trader ran. configured_value: what the settings said then; while they say the
-- same, the change holds over restarts. Values are written as in the settings.
CREATE TABLE risk_changes (
    number INTEGER NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES runs,
    at_ms INTEGER NOT NULL,
    requested_by TEXT NOT NULL,
    setting TEXT NOT NULL,
    old_value TEXT NOT NULL,
    new_value TEXT NOT NULL,
    configured_value TEXT NOT NULL,
    command_id INTEGER REFERENCES commands
) STRICT, WITHOUT ROWID;

-- The command that asked for another strategy; of older changes it is not known.
ALTER TABLE strategy_changes ADD COLUMN command_id INTEGER REFERENCES commands;

CREATE INDEX risk_changes_by_setting ON risk_changes (setting, number);

-- For lists with the newest first, however old the ledger is.
CREATE INDEX fills_recent ON fills (epoch, traded_ms, symbol, trade_id);
CREATE INDEX decisions_refused ON decisions (tick_ms, symbol, rule) WHERE rule IS NOT NULL;
