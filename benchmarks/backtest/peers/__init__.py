"""Other backtesters, one small script each; `backtest/environments.py` installs and runs them."""
