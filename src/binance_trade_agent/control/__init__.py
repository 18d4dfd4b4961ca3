"""Commands to the trader from other processes, and the switches that follow from them; kept in the ledger."""
