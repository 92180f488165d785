"""What may break a rule, where, and why. Entries only leave: the tests refuse one that is no longer needed."""

from __future__ import annotations

# (module, function or "*") -> the kinds of impurity it may have. Readers of files, each named as one.
IMPURE: dict[tuple[str, str], frozenset[str]] = {
    ("schemas/kernels.py", "*"): frozenset({"environment", "I/O"}),  # finds the kernel cache and hashes the sources
    ("schemas/zones.py", "zone_of"): frozenset({"I/O"}),  # the time-zone files inside the tzdata package
    ("ingest/call_layouts.py", "load_call_layout"): frozenset({"I/O"}),
    ("ingest/call_decoder.py", "_prefix_of"): frozenset({"I/O"}),  # of open_call_file: the first bytes, to refuse early
    ("ingest/zip_member.py", "_read_capped"): frozenset({"I/O"}),  # a member of an archive that is in memory
    ("rating/tariff_files.py", "load_tariffs"): frozenset({"I/O"}),
    ("rating/tariff_files.py", "_read"): frozenset({"I/O"}),
    ("rating/importers/cgrates_rows.py", "load_plan_folder"): frozenset({"I/O"}),
    ("rating/importers/rate_deck.py", "load_sheet_text"): frozenset({"I/O"}),
    ("rating/importers/urdb_fields.py", "load_rates_text"): frozenset({"I/O"}),
    ("rating/tariff_schema.py", "tariff_schema"): frozenset({"I/O"}),  # a file of the package
    ("rating/language/decks.py", "read_deck"): frozenset({"I/O"}),
    ("accounts/reference_columns.py", "read_text_columns"): frozenset({"I/O"}),
    ("rating/language/decks.py", "deck_row_count"): frozenset({"I/O"}),
    ("rating/price_files.py", "_rows"): frozenset({"I/O"}),  # of load_price_files
    ("rating/service_terms.py", "read_service_terms"): frozenset({"I/O"}),
    ("rating/subjects.py", "load_subjects"): frozenset({"I/O"}),
    ("rating/balances/account_file.py", "load_account"): frozenset({"I/O"}),
}

# (module, function, what) of floats that are no money and no quantity.
FLOATS: frozenset[tuple[str, str, str]] = frozenset(
    {
        ("rating/usage_rows.py", "", "float literal 0.8"),  # how alike two column names are
        ("settlement/adapters/finance_views.py", "", "float type float"),  # a type of DuckDB's settings
    }
)

# Modules that may use numba's decorators: they set the cache folder first.
COMPILERS = frozenset({"schemas/kernels.py", "schemas/kernels_inlined.py", "schemas/kernels_borrowed.py"})

# (module, function) -> lines it has today. Lower the number when a function shrinks, drop the entry at 60.
LONG_FUNCTIONS: dict[tuple[str, str], int] = {
    ("rating/balances/walk.py", "walk_call"): 134,  # kernels: a call costs, and what it shares is many arrays
    ("rating/balances/charge_kernel.py", "charge_records"): 67,
    ("meterline/pipeline/call_kernels.py", "place_calls"): 65,
    ("rating/calls/increments.py", "price_call"): 72,
}

# module -> lines it has today.
LONG_FILES: dict[str, int] = {
    "tests/crash/powerloss.py": 465,
}
