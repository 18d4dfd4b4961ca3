"""Risk: how much, and whether at all. One small class a rule; `policy.py` asks them in order."""
