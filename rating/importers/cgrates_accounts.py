"""Balances that a plan's actions create at once, as accounts; all other actions are named."""

from __future__ import annotations

from rating.importers.cgrates_rows import PlanRows
from rating.importers.cgrates_terms import Parts


def account_files(plan: PlanRows, parts: Parts, currency: str) -> dict[str, str]:
    return {}
