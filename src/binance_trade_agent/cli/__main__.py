"""`python -m binance_trade_agent.cli` is `trade-agent`."""

from binance_trade_agent.cli import main

if __name__ == "__main__":
    main()
