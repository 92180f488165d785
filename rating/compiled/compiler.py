"""From tariffs to a `TariffBook`: timelines, prefixes, winners and price rows in flat arrays; deterministic for equal tariffs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rating.compiled.book import I32, I64, INDEX_BITS, BookAllowance, BookRule, EnergyItem, TariffBook, Timelines
from rating.compiled.energy_items import energy_items_of
from rating.compiled.payer_filters import match_lengths, window_borders
from rating.compiled.prefixes import PrefixTable, compile_prefixes
from rating.compiled.rule_arrays import rule_arrays
from rating.compiled.rule_layout import NEVER
from rating.compiled.timeline import NO_VERSION, Pattern, Timeline, compile_timeline
from rating.compiled.winners import (
    CALL_KIND_COUNT,
    NO_RATE_FOR_DESTINATION,
    Level,
    RuleRow,
    call_candidates,
    energy_candidates,
    resolve,
    rule_rows,
)
from rating.language.call_terms import Allowance, Discount
from rating.language.shared_terms import PricedAt
from rating.language.tariff import Tariff, TariffVersion
from rating.tariff_checks import price_numbers
from schemas.errors import ConfigurationError, Fault
from schemas.quantities import UsageKind

_TAIL_US = 40 * 86_400_000_000  # usage that starts in the span may run this far past it
_OUTSIDE = Pattern(NO_VERSION, ())


def compile_book(tariffs: Sequence[Tariff], *, span: tuple[int, int]) -> TariffBook:
    """Compile tariffs for usage that starts in `[span[0], span[1])`, UTC microseconds; whole years are usual, three are cheap.

    Raises:
        ConfigurationError: two tariffs of one id; rules that nothing orders.
    """
    ordered = sorted(tariffs, key=lambda tariff: tariff.tariff_id)
    ids = tuple(tariff.tariff_id for tariff in ordered)
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise ConfigurationError([Fault(f"tariff {one}", "this tariff is there twice", must_be="once") for one in twice])
    prefixes = compile_prefixes(
        prefix for tariff in ordered for version in tariff.versions for to in version.destinations for prefix in to.prefixes
    )
    build = _Building(prefixes, span)
    for tariff in ordered:
        build.add(tariff, compile_timeline(tariff, span[0], span[1] + _TAIL_US))
    build.refuse_unknown_bundles(ids)
    build.refuse_level()
    arrays = rule_arrays(build.rules, build.ladder_of)
    discount_tiers = [(tier.from_nano, tier.ppm) for _, _, ladder in build.discounts for tier in ladder.tiers]
    return TariffBook(
        span=span,
        tariff_ids=ids,
        content_hashes=tuple(tariff.content_hash for tariff in ordered),
        tariffs=tuple(ordered),
        timelines=_timelines(build.timelines, span),
        prefixes=prefixes,
        cell_of=_cells(build.cells, len(prefixes.prefixes)),
        winner=np.concatenate([*build.winners, np.full(1, NO_RATE_FOR_DESTINATION, dtype=np.int32)]),
        rules=tuple(build.rules),
        rule_rows=arrays.rows,
        scale_rows=arrays.scales,
        rule_words=arrays.words,
        energy_cell=np.array(build.energy_cells, dtype=np.int32),
        energy_first_item=np.array(build.energy_first, dtype=np.int32),
        energy_items=tuple(build.energy_items),
        energy_from=np.array([item.from_milliwh for item in build.energy_items], dtype=np.int64),
        allowances=tuple(build.allowances),
        bundle_rules=tuple(build.bundle_rules),
        allowance_match=np.array(build.matches, dtype=np.int8).reshape(-1, len(prefixes.prefixes)),
        discounts=tuple(build.discounts),
        discount_first=np.cumsum([0, *(len(ladder.tiers) for _, _, ladder in build.discounts)], dtype=np.int32),
        discount_tiers=np.array(discount_tiers, dtype=np.int64).reshape(-1, 2),
        index_of={tariff_id: index for index, tariff_id in enumerate(ids)},
    )


class _Building:
    """What grows while tariffs are added one by one, in order of their ids."""

    def __init__(self, prefixes: PrefixTable, span: tuple[int, int]) -> None:
        self.prefixes = prefixes
        self.span = span
        self.timelines: list[tuple[Timeline, tuple[Pattern, ...]]] = []
        self.cells: list[npt.NDArray[np.int64]] = []
        self.winners: list[I32] = []
        self.winner_count = 0
        self.rules: list[BookRule] = []
        self.ladder_of: list[int] = []
        self.energy_cells: list[int] = []
        self.energy_first = [0]
        self.energy_items: list[EnergyItem] = []
        self.allowances: list[BookAllowance] = []
        self.bundle_rules: list[BookRule] = []
        self.matches: list[npt.NDArray[np.int8]] = []
        self.discounts: list[tuple[str, str, Discount]] = []
        self.faults: list[Fault] = []

    def add(self, tariff: Tariff, timeline: Timeline) -> None:
        patterns = (*timeline.patterns, _OUTSIDE)
        self.timelines.append((timeline, patterns))
        ladders = self._add_discounts(tariff)
        rows = rule_rows(tariff)
        prices = price_numbers(rows)
        first = len(self.rules)
        for kind in list(UsageKind)[:CALL_KIND_COUNT]:
            found = {
                index: call_candidates(version, index, kind, rows, self.prefixes.node_of)
                for index, version in enumerate(tariff.versions)
            }
            winners, level = resolve(found, patterns, self.prefixes, prices)
            self._note_level(tariff, level, rows)
            self._add_winners(np.where(winners >= 0, winners + first, winners).astype(np.int32))
        self.rules += [_book_rule(tariff, row) for row in rows]
        self.ladder_of += [ladders[row.version] for row in rows]
        self._add_energy(tariff, patterns)
        self._add_allowances(tariff)

    def _add_winners(self, winners: I32) -> None:
        """One cell for each distinct row of [nodes, patterns]."""
        distinct, cell = np.unique(winners, axis=0, return_inverse=True)
        self.cells.append(self.winner_count + cell.reshape(-1) * winners.shape[1])
        self.winners.append(distinct.ravel())
        self.winner_count += distinct.size

    def _add_energy(self, tariff: Tariff, patterns: tuple[Pattern, ...]) -> None:
        found = {}
        for index, version in enumerate(tariff.versions):
            if version.energy:
                found[index] = energy_candidates(version.energy, version, len(self.energy_first) - 1)
                for price in version.energy:
                    self.energy_items += energy_items_of(tariff, version, price)
                    self.energy_first.append(len(self.energy_items))
        level_price = np.arange(len(self.energy_first), dtype=np.int64)
        winners, level = resolve(found, patterns, compile_prefixes(()), level_price)
        for clash in level:
            items = [self.energy_items[self.energy_first[row]].item for row in clash.rows]
            self.faults.append(Fault(f"tariff {tariff.tariff_id}", f"energy prices {items[0]!r} and {items[1]!r} are ambiguous"))
        self.energy_cells.append(self.winner_count)
        self.winners.append(winners[0])
        self.winner_count += winners.shape[1]

    def _add_allowances(self, tariff: Tariff) -> None:
        for version in tariff.versions:
            prefixes = {to.name: to.prefixes for to in version.destinations}
            for allowance in version.allowances:
                of = (tariff.tariff_id, version.label, version.effective_from_at, version.effective_to_at, allowance)
                borders, bundle = None, -1
                if allowance.windows is not None:
                    borders = window_borders(tariff, version, allowance.windows, self.span[0], self.span[1] + _TAIL_US)
                if allowance.rate is not None:
                    bundle = len(self.bundle_rules)
                    self.bundle_rules.append(bundle_rule(tariff.tariff_id, version, allowance))
                self.allowances.append(BookAllowance(*of, borders, bundle))
                self.matches.append(match_lengths(allowance.destinations, prefixes, self.prefixes, allowance.excluded))

    def _add_discounts(self, tariff: Tariff) -> list[int]:
        ladders = []
        for version in tariff.versions:
            if version.discount is None:
                ladders.append(-1)
                continue
            ladders.append(len(self.discounts))
            self.discounts.append((tariff.tariff_id, version.label, version.discount))
        return ladders

    def _note_level(self, tariff: Tariff, level: list[Level], rows: tuple[RuleRow, ...]) -> None:
        for clash in level[:1]:
            items = [rows[row].item for row in clash.rows]
            to = self.prefixes.prefixes[clash.node] or "any number"
            what = f"rules {items[0]!r} and {items[1]!r} are ambiguous for {to}"
            where = f"tariff {tariff.tariff_id}"
            self.faults.append(Fault(where, what, next_step="give one a higher weight", code="ambiguous_rules"))

    def refuse_unknown_bundles(self, ids: tuple[str, ...]) -> None:
        for entry in self.allowances:
            if entry.allowance.tariff_id and entry.allowance.tariff_id not in ids:
                where, was = f"tariff {entry.tariff_id} allowance {entry.allowance.name}", repr(entry.allowance.tariff_id)
                self.faults.append(Fault(where, "no such tariff", was, " or ".join(ids), code="unknown_name"))

    def refuse_level(self) -> None:
        if self.faults:
            raise ConfigurationError(self.faults)


def bundle_rule(owner: str, version: TariffVersion, allowance: Allowance) -> BookRule:
    """The one rule of a priced bundle: its own rate, at all times and for all numbers, rounded as the version says."""
    kind = allowance.kind
    assert kind is not None and allowance.rate is not None, "a bundle's kind is that of its rate"
    names = (owner, version.label, allowance.name, kind, "", "")
    return BookRule(*names, allowance.rate, version.rounding, kind != UsageKind.VOICE)


def _book_rule(tariff: Tariff, row: RuleRow) -> BookRule:
    version = tariff.versions[row.version]
    # Only voice has a shape in time; the start instant prices all of a volume or message (reference: rating §3).
    by_start = row.kind != UsageKind.VOICE or version.priced_at is PricedAt.USAGE_START
    return BookRule(
        tariff.tariff_id, version.label, row.item, row.kind, row.destination, row.window, row.rate, row.rounding, by_start
    )


def _cells(cells: list[npt.NDArray[np.int64]], nodes: int) -> I32:
    """[tariffs * 3, nodes]; a book without tariffs has rows that price nothing, since kernels look before they decide."""
    return np.array(cells or np.zeros((CALL_KIND_COUNT, nodes)), dtype=np.int32)


def _timelines(found: list[tuple[Timeline, tuple[Pattern, ...]]], span: tuple[int, int]) -> Timelines:
    """All timelines behind one another, each with a last segment that is outside all versions and never ends."""
    steps = ((span[1] - span[0]) >> INDEX_BITS) + 1
    entries = span[0] + (np.arange(steps, dtype=np.int64) << INDEX_BITS)
    index = np.zeros((max(len(found), 1), steps), dtype=np.int32)
    parts: list[I64] = []
    first = 0
    for number, (timeline, patterns) in enumerate(found):
        ends = np.append(timeline.starts_at[1:], [timeline.end_at, NEVER])
        columns = np.append(timeline.pattern, len(patterns) - 1)
        index[number] = first + np.searchsorted(timeline.starts_at, entries, side="right") - 1
        parts.append(np.stack([ends, columns.astype(np.int64)], axis=1))
        first += len(ends)
    segments = np.concatenate(parts) if parts else np.array([(NEVER, 0)], dtype=np.int64)
    return Timelines(span[0], span[1], index, segments)
