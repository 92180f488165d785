"""Metered energy: billing determinants and the elements of a utility bill."""
