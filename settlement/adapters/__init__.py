"""Settlement's connections to outside systems: DuckDB for finance."""
