"""Recorded candles on disk: tables of them, the folder where they are kept, and how they come there."""
