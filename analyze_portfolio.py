"""The same as `trade-agent analyze`, under the name that users of the container know."""

import sys

from binance_trade_agent.cli import main

if __name__ == "__main__":
    main(["analyze", *sys.argv[1:]])
