"""Calls, messages and volumes: first pass, second pass, explanation."""
