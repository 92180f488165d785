"""Input of every form made canonical: call detail records, interval reads, and the check for duplicates."""
