"""Who is billed: accounts, services and their assignments, read from reference files and resolved per record."""
