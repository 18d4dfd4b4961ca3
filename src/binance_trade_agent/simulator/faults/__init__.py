"""What goes wrong on purpose: faults by matcher, count, probability, seed and time (binance-protocol.md Appendix A)."""
