"""What the benchmarks share: the machine they ran on, and the processes that they measure."""
