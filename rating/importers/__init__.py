"""Notations that others use, converted to tariffs: pure, text and values in, files' texts and findings out."""
