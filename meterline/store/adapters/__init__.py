"""Adapters of the store to the databases that can hold its commit log."""
