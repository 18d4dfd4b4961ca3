-- Which market an epoch is of, so that another one on the same ledger is told from a change of balances. NULL: opened
-- before this was noted, and taken to be of the market that comes next.
ALTER TABLE epochs ADD COLUMN market TEXT;
