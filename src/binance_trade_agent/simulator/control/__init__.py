"""The control port: time, faults, the market by hand, settings, and a look inside (binance-protocol.md Appendix A)."""
