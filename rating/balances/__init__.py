"""Charging: usage is taken from balances of units and money, and put back again."""
