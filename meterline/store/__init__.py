"""The store: durable files, the commit that names them, and snapshots that read them. Truth is Parquet plus a commit log."""
