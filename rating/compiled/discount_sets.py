"""Discounts as flat arrays: for each version of a tariff (and of its fallbacks) a set, in stacking order.

A discount row holds 21 integers, read by `rating.calls.discounts`; the names below are their places. A rule points at its set; a
bit of `rule_mask` says which discounts of the set its kind and item admit. Running totals are kept by *counter*: discounts of one
name in a tariff share one, so that a ladder goes on over a change of version.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rating.compiled.book import I32, BookDiscount, BookRule, Discounts
from rating.compiled.chains import Chain
from rating.compiled.prefix_table import PrefixTable
from rating.compiled.rule_arrays import rule_arrays
from rating.compiled.rule_layout import NEVER
from rating.compiled.timeline import Pattern
from rating.language.discount_terms import CHARGE, QUANTITY, Discount
from rating.language.tariff import Tariff, TariffVersion
from schemas.quantities import UsageKind

(
    FROM_AT, TO_AT, DESTINATION_ROW, WINDOW_ROW, NEEDS_BIT, BASIS, SPLIT, RETROACTIVE, BASE, GROUP, OFFER, AFTER_BASIS,
    AFTER_TOTAL, FIRST_UNITS, FIRST_RECORDS, BUDGET, COUNTER, TIER_FIRST, TIER_END, IS_LIMITED, OFFER_SLOT,
) = range(21)  # fmt: skip
DISCOUNT_WORDS = 21
# The words of a counter: running totals, and what limits have used up.
COUNTER_WORDS = 5
MONEY_TOTAL, QUANTITY_TOTAL, UNITS_USED, RECORDS_USED, GIVEN_NANO = range(COUNTER_WORDS)


class DiscountSets:
    """What grows while tariffs are added to a book."""

    def __init__(self, prefixes: PrefixTable) -> None:
        self.prefixes = prefixes
        self.found: list[BookDiscount] = []
        self.rows: list[list[int]] = []
        self.set_first = [0]
        self.counters: dict[tuple[str, str, str], int] = {}
        self.tiers: list[tuple[int, int]] = []
        self.destinations: list[npt.NDArray[np.bool_]] = []
        self.windows: list[npt.NDArray[np.bool_]] = []
        self.offers: list[BookRule] = []
        self.masks: list[int] = []

    def add(self, chain: Chain) -> list[int]:
        """Enter the sets of all versions of a chain; the set of each rule row of its members in order, -1 for none."""
        owner = chain.members[0].tariff
        set_of_row: list[int] = []
        for member, columns in zip(chain.members, chain.columns, strict=True):
            tariff = member.tariff
            sets = []
            for index, version in enumerate(tariff.versions):
                if not version.discounts:
                    sets.append(-1)
                    continue
                active = [_windows_hold(one, version, index, member.patterns, columns) for one in version.discounts]
                for discount, window in zip(version.discounts, active, strict=True):
                    self._enter(owner, tariff, version, discount, window)
                sets.append(len(self.set_first) - 1)
                self.set_first.append(len(self.rows))
            for row in member.rows:
                set_of_row.append(sets[row.version])
                self.masks.append(_rule_mask(tariff.versions[row.version].discounts, row.kind, row.item))
        return set_of_row

    def _enter(
        self, owner: Tariff, tariff: Tariff, version: TariffVersion, of: Discount, window: npt.NDArray[np.bool_] | None
    ) -> None:
        fallback = "" if tariff is owner else tariff.tariff_id
        self.found.append(BookDiscount(owner.tariff_id, fallback, version.label, tariff.zone, tariff.clock, of))
        first_tier = len(self.tiers)
        self.tiers += [(tier.from_total, tier.ppm) for tier in of.tiers]
        groups = sorted({one.exclusive for one in version.discounts if one.exclusive})
        row = [0] * DISCOUNT_WORDS
        row[FROM_AT], row[TO_AT] = of.effective_from_at, of.effective_to_at
        row[DESTINATION_ROW] = row[WINDOW_ROW] = row[GROUP] = row[OFFER] = -1
        if of.destinations is not None:
            row[DESTINATION_ROW] = len(self.destinations)
            self.destinations.append(nodes_under(of.destinations, version, self.prefixes))
        if window is not None:
            row[WINDOW_ROW] = len(self.windows)
            self.windows.append(window)
        row[NEEDS_BIT] = int(of.new_for is not None or of.with_tariffs is not None)
        row[BASIS], row[AFTER_BASIS] = int(of.basis == QUANTITY), int(of.after_basis == QUANTITY)
        row[SPLIT], row[RETROACTIVE], row[BASE] = int(of.split_at_bound), int(of.retroactive), int(of.base == CHARGE)
        if of.exclusive:
            row[GROUP] = groups.index(of.exclusive)
        if of.rate:
            row[OFFER] = len(self.offers)
            row[OFFER_SLOT] = sum(entry[OFFER] >= 0 for entry in self.rows[self.set_first[-1] :])
            self.offers.append(_offer(owner, version, of))
        row[AFTER_TOTAL] = of.after_total
        limits = (of.first_units, of.first_records, of.budget_nano)
        row[FIRST_UNITS], row[FIRST_RECORDS], row[BUDGET] = (NEVER if limit is None else limit for limit in limits)
        row[IS_LIMITED] = int(any(limit is not None for limit in limits) or bool(of.rate))
        row[COUNTER] = self.counters.setdefault((owner.tariff_id, fallback, of.item), len(self.counters))
        row[TIER_FIRST], row[TIER_END] = first_tier, len(self.tiers)
        self.rows.append(row)

    def arrays(self) -> Discounts:
        """All of it for the kernels."""
        width = max((len(window) for window in self.windows), default=1)
        windows = np.zeros((max(len(self.windows), 1), width), dtype=np.bool_)
        for number, window in enumerate(self.windows):
            windows[number, : len(window)] = window
        destinations = np.zeros((max(len(self.destinations), 1), len(self.prefixes.prefixes)), dtype=np.bool_)
        for number, under in enumerate(self.destinations):
            destinations[number] = under
        offers = rule_arrays(self.offers, [-1] * len(self.offers))
        return Discounts(
            entries=tuple(self.found),
            set_first=np.array(self.set_first, dtype=np.int32),
            rows=np.array(self.rows, dtype=np.int64).reshape(-1, DISCOUNT_WORDS),
            tiers=np.array(self.tiers, dtype=np.int64).reshape(-1, 2),
            rule_mask=np.array(self.masks or [0], dtype=np.int64),
            destinations=destinations,
            windows=windows,
            counters=tuple(self.counters),
            offers=tuple(self.offers),
            offer_rows=offers.rows,
            offer_scales=offers.scales,
            offer_words=offers.words,
        )


def _windows_hold(
    of: Discount, version: TariffVersion, index: int, patterns: tuple[Pattern, ...], columns: I32
) -> npt.NDArray[np.bool_] | None:
    """[patterns of the chain]: whether any of the windows holds; None for a discount of any time."""
    if of.windows is None:
        return None
    places = [place for place, window in enumerate(version.windows) if window.name in of.windows]
    own = np.zeros(len(patterns), dtype=np.bool_)
    for number, pattern in enumerate(patterns):
        if pattern.version == index:
            own[number] = any(pattern.ranks[place] > 0 for place in places)
    held: npt.NDArray[np.bool_] = own[columns]
    return held


def nodes_under(names: tuple[str, ...], version: TariffVersion, table: PrefixTable) -> npt.NDArray[np.bool_]:
    """[nodes]: whether a number of this node lies under a prefix of the destinations."""
    prefixes = {to.name: to.prefixes for to in version.destinations}
    own = np.zeros(len(table.prefixes), dtype=np.bool_)
    for name in names:
        own[[table.node_of[prefix] for prefix in prefixes[name]]] = True
    for length in range(1, int(table.length[-1]) + 1):
        low, high = np.searchsorted(table.length, [length, length + 1])
        own[low:high] |= own[table.parent[low:high]]
    return own


def _rule_mask(discounts: tuple[Discount, ...], kind: UsageKind, item: str) -> int:
    """Bit j: the j-th discount admits records of a rule by kind and item."""
    mask = 0
    for place, of in enumerate(discounts):
        admits = (of.kinds is None or kind in of.kinds) and (of.items is None or item in of.items)
        mask |= int(admits) << place
    return mask


def _offer(owner: Tariff, version: TariffVersion, of: Discount) -> BookRule:
    """A trial rate as a rule that prices the whole record by its start."""
    rate = next(rate for rate in version.rates if rate.name == of.rate)
    (kind,) = of.kinds or frozenset({UsageKind.VOICE})
    return BookRule(owner.tariff_id, version.label, of.item, kind, "", "", rate, version.rounding, True)
