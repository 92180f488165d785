"""Tariffs as flat arrays: timelines, prefixes, winners and price rows."""
