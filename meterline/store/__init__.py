"""The store: durable files, the commit that names them, and snapshots that read them. Truth is plain Parquet plus a commit log."""
