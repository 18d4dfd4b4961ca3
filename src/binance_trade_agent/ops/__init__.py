"""What every process needs around the trading: the clock, tasks, logging, health, the doctor."""
