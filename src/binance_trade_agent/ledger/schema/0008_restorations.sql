-- That the ledger was put back from a backup, in which epoch. least_fence: generations from here on were surely not given
-- to a daemon that traded on after the backup. kept: where the ledger is that was there before, empty where none was.
-- adopted_ms: when what the exchange did since the backup was taken over (market time), NULL until then; orders: of ours
-- that were adopted.
CREATE TABLE restorations (
    number INTEGER NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    restored_wall_ms INTEGER NOT NULL,
    backup TEXT NOT NULL,
    kept TEXT NOT NULL,
    least_fence INTEGER NOT NULL,
    adopted_ms INTEGER,
    orders INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
