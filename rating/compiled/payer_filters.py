"""What limits a payer: which numbers it pays for, in which local windows, for which categories of usage."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rating.compiled.prefix_table import PrefixTable
from rating.compiled.timeline import compile_timeline
from rating.language.shared_terms import FOREVER_AT
from rating.language.tariff import Tariff, TariffVersion

CATEGORIES_MAX = 62
_ALWAYS_FROM_AT = -(2**62)


def match_lengths(
    names: Sequence[str] | None, prefixes: Mapping[str, Sequence[str]], table: PrefixTable, excluded: Sequence[str] | None = None
) -> npt.NDArray[np.int8]:
    """[nodes]: length + 1 of the longest prefix of the named destinations that the node lies under, 0 where it does not pay.

    None is any number. A number that lies under an excluded prefix at least as long is not paid for.
    """
    inside = _longest(names, prefixes, table)
    if excluded:
        outside = _longest(excluded, prefixes, table)
        inside[(outside > 0) & (outside >= inside)] = 0
    return inside


def _longest(names: Sequence[str] | None, prefixes: Mapping[str, Sequence[str]], table: PrefixTable) -> npt.NDArray[np.int8]:
    own = np.zeros(len(table.prefixes), dtype=np.int8)
    if names is None:
        own[:] = 1
        return own
    for name in names:
        for prefix in prefixes[name]:
            own[table.node_of[prefix]] = len(prefix) + 1
    for length in range(1, int(table.length[-1]) + 1):
        low, high = np.searchsorted(table.length, [length, length + 1])
        own[low:high] = np.where(own[low:high] > 0, own[low:high], own[table.parent[low:high]])
    return own


def window_borders(
    tariff: Tariff, version: TariffVersion, names: Sequence[str], start_at: int, end_at: int
) -> npt.NDArray[np.int64]:
    """The instants at which the named windows together open and close in turn, from closed, over `[start_at, end_at)`."""
    chosen = tuple(window for window in version.windows if window.name in names)
    always = dataclasses.replace(version, effective_from_at=_ALWAYS_FROM_AT, effective_to_at=FOREVER_AT, windows=chosen)
    timeline = compile_timeline(dataclasses.replace(tariff, versions=(always,)), start_at, end_at)
    is_open = np.array([any(rank > 0 for rank in pattern.ranks) for pattern in timeline.patterns], dtype=np.bool_)
    opens = is_open[timeline.pattern]
    changes = np.diff(opens.astype(np.int8), prepend=0) != 0
    borders: npt.NDArray[np.int64] = timeline.starts_at[changes]
    return borders


def category_codes(named: Sequence[Sequence[str] | None]) -> dict[str, int]:
    """A code for each category that any payer names, in alphabetical order."""
    return {name: code for code, name in enumerate(sorted({name for names in named for name in names or ()}))}
