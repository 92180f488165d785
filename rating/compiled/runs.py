"""Derived runs for the kernels: which run takes a record of which number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rating.compiled.book import BookRun
from rating.compiled.discount_sets import nodes_under
from rating.compiled.prefix_table import PrefixTable
from rating.language.tariff import Tariff


def book_runs(tariffs: Sequence[Tariff], table: PrefixTable) -> list[tuple[BookRun, npt.NDArray[np.bool_]]]:
    """(run, [nodes] whether it takes a number of this node) in order of (tariff, version, name)."""
    found = []
    for tariff in tariffs:
        for version in tariff.versions:
            span = (version.effective_from_at, version.effective_to_at)
            for run in version.derived:
                to = run.destinations
                under = np.ones(len(table.prefixes), dtype=np.bool_) if to is None else nodes_under(to, version, table)
                found.append((BookRun(tariff.tariff_id, version.label, *span, run), under))
    return found
