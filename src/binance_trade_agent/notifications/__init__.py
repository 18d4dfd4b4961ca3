"""Notifications: sentences about what was committed, sent by Apprise, off the trading path."""
