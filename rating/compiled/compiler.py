"""From tariffs to a `TariffBook`: timelines, prefixes, winners and price rows in flat arrays; deterministic for equal tariffs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rating.compiled.book import I32, I64, INDEX_BITS, BookAllowance, BookRule, EnergyItem, TariffBook, Timelines
from rating.compiled.chains import Chain, Member, chain_faults, chain_of, chain_winners, chained
from rating.compiled.choices import Choices, dense_choices, rule_numbers
from rating.compiled.discount_sets import DiscountSets
from rating.compiled.energy_items import energy_items_of
from rating.compiled.ladders import energy_modes
from rating.compiled.payer_filters import match_lengths, window_borders
from rating.compiled.prefix_table import PrefixTable, compile_prefixes
from rating.compiled.rule_arrays import rule_arrays
from rating.compiled.rule_layout import NEVER
from rating.compiled.runs import book_runs
from rating.compiled.timeline import NO_VERSION, Pattern, Timeline, compile_timeline
from rating.compiled.winners import (
    CALL_KIND_COUNT,
    NO_RATE_FOR_DESTINATION,
    Candidates,
    Ints,
    Level,
    RuleRow,
    call_candidates,
    energy_candidates,
    price_numbers,
    resolve,
    rule_rows,
)
from rating.language.call_terms import Allowance
from rating.language.shared_terms import PricedAt
from rating.language.tariff import Tariff, TariffVersion
from schemas.errors import ConfigurationError, Fault
from schemas.quantities import UsageKind

_TAIL_US = 40 * 86_400_000_000  # usage that starts in the span may run this far past it
_OUTSIDE = Pattern(NO_VERSION, ())
_FEW_CELLS = 100_000  # of prefixes and patterns: the full table is found sooner than kernels are loaded


def compile_book(tariffs: Sequence[Tariff], *, span: tuple[int, int]) -> TariffBook:
    """Compile tariffs for usage that starts in `[span[0], span[1])`, UTC microseconds; whole years are usual, three are cheap.

    Raises:
        ConfigurationError: two tariffs of one id; rules that nothing orders; fallbacks and runs without their tariffs.
    """
    ordered = sorted(tariffs, key=lambda tariff: tariff.tariff_id)
    ids = tuple(tariff.tariff_id for tariff in ordered)
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise ConfigurationError([Fault(f"tariff {one}", "this tariff is there twice", must_be="once") for one in twice])
    prefixes = compile_prefixes(
        prefix for tariff in ordered for version in tariff.versions for to in version.destinations for prefix in to.prefixes
    )
    faults = chain_faults(ordered)
    if faults:
        raise ConfigurationError(faults)
    build = _Building(prefixes, span)
    members = {tariff.tariff_id: build.member(tariff, span) for tariff in ordered}
    by_id = {tariff.tariff_id: tariff for tariff in ordered}
    for tariff in ordered:
        build.add(chained([members[of.tariff_id] for of in chain_of(tariff, by_id)]))
    build.refuse_unknown_bundles(ids)
    build.refuse_level()
    arrays = rule_arrays(build.rules, build.ladder_of)
    cells = build.cells or build.no_cells()
    runs = book_runs(ordered, prefixes)
    return TariffBook(
        span=span,
        tariff_ids=ids,
        content_hashes=tuple(tariff.content_hash for tariff in ordered),
        tariffs=tuple(ordered),
        timelines=_timelines(build.timelines, span),
        patterns=tuple(patterns for _, patterns in build.timelines),
        prefixes=prefixes,
        cell_of=np.array(cells, dtype=np.int32),
        choices=np.concatenate(build.choices),
        rules=tuple(build.rules),
        rule_rows=arrays.rows,
        step_rows=arrays.steps,
        scale_rows=arrays.scales,
        rule_words=arrays.words,
        energy_winner=np.concatenate([np.full(1, NO_RATE_FOR_DESTINATION, dtype=np.int32), *build.energy_winners]),
        energy_cell=np.array(build.energy_cells, dtype=np.int32),
        energy_first_item=np.array(build.energy_first, dtype=np.int32),
        energy_items=tuple(build.energy_items),
        energy_from=np.array([item.from_milliwh for item in build.energy_items], dtype=np.int64),
        most_items=max((sum(len(p.tiers) for v in tariff.versions for p in v.energy) for tariff in ordered), default=0),
        energy_mode=energy_modes(ordered),
        allowances=tuple(build.allowances),
        bundle_rules=tuple(build.bundle_rules),
        allowance_match=np.array(build.matches, dtype=np.int8).reshape(-1, len(prefixes.prefixes)),
        discounts=build.discounts.arrays(),
        runs=tuple(run for run, _ in runs),
        run_destinations=np.array([under for _, under in runs], dtype=np.bool_).reshape(-1, len(prefixes.prefixes)),
        index_of={tariff_id: index for index, tariff_id in enumerate(ids)},
    )


class _Building:
    """What grows while tariffs are added one by one, in order of their ids."""

    def __init__(self, prefixes: PrefixTable, span: tuple[int, int]) -> None:
        self.prefixes = prefixes
        self.span = span
        self.timelines: list[tuple[Timeline, tuple[Pattern, ...]]] = []
        self.cells: list[npt.NDArray[np.int64]] = []
        self.choices: list[I32] = []
        self.choice_count = 0
        self.energy_winners: list[I32] = []
        self.rules: list[BookRule] = []
        self.ladder_of: list[int] = []
        self.energy_cells: list[int] = []
        self.energy_first = [0]
        self.energy_items: list[EnergyItem] = []
        self.allowances: list[BookAllowance] = []
        self.bundle_rules: list[BookRule] = []
        self.matches: list[npt.NDArray[np.int8]] = []
        self.discounts = DiscountSets(prefixes)
        self.faults: list[Fault] = []

    def member(self, tariff: Tariff, span: tuple[int, int]) -> Member:
        """A tariff by itself: timeline, rows and choices."""
        timeline = compile_timeline(tariff, span[0], span[1] + _TAIL_US)
        patterns = (*timeline.patterns, _OUTSIDE)
        rows = rule_rows(tariff)
        prices, rules = price_numbers(rows), rule_numbers(rows)
        few = len(self.prefixes.prefixes) * len(patterns) <= _FEW_CELLS
        found = []
        for kind in list(UsageKind)[:CALL_KIND_COUNT]:
            candidates = {
                index: call_candidates(version, index, kind, rows, self.prefixes.node_of)
                for index, version in enumerate(tariff.versions)
            }
            choices, level = (_choose_by_table if few else _choose)(candidates, patterns, self.prefixes, prices, rules)
            self._note_level(tariff, level, rows)
            found.append(choices)
        return Member(tariff, timeline, patterns, rows, tuple(found))

    def add(self, chain: Chain) -> None:
        """A tariff with its fallbacks; the rows of fallbacks are its own here, so that they share its common denominator."""
        tariff = chain.members[0].tariff
        self.timelines.append((chain.timeline, chain.patterns))
        self.ladder_of += self.discounts.add(chain)
        for kind in range(CALL_KIND_COUNT):
            alone = chain.members[0].choices[kind]
            self._add_choices(alone if len(chain.members) == 1 else dense_choices(chain_winners(chain, kind)), len(self.rules))
        for member in chain.members:
            self.rules += [_book_rule(tariff, member.tariff, row) for row in member.rows]
        self._add_energy(tariff, chain.patterns)
        self._add_allowances(tariff)

    def _add_choices(self, choices: Choices, first: int) -> None:
        """The next cells; rule rows of the tariff count from `first` on in the book."""
        cells, words = choices.words(self.choice_count, first)
        self.cells.append(cells)
        self.choices.append(words)
        self.choice_count += len(words)

    def no_cells(self) -> list[npt.NDArray[np.int64]]:
        """A book without tariffs has rows that price nothing, since kernels look before they decide."""
        nothing = dense_choices(np.full((len(self.prefixes.prefixes), 1), NO_RATE_FOR_DESTINATION, dtype=np.int32))
        for _ in range(CALL_KIND_COUNT):
            self._add_choices(nothing, 0)
        return self.cells

    def _add_energy(self, tariff: Tariff, patterns: tuple[Pattern, ...]) -> None:
        found = {}
        for index, version in enumerate(tariff.versions):
            if version.energy:
                found[index] = energy_candidates(version.energy, version, len(self.energy_first) - 1)
                for price in version.energy:
                    self.energy_items += energy_items_of(tariff, version, price)
                    self.energy_first.append(len(self.energy_items))
        level_price = np.arange(len(self.energy_first), dtype=np.int64)
        level: list[Level] = []
        winners = np.full((1, len(patterns)), NO_RATE_FOR_DESTINATION, dtype=np.int32)
        if found:
            winners, level = resolve(found, patterns, compile_prefixes(()), level_price)
        for clash in level:
            items = [self.energy_items[self.energy_first[row]].item for row in clash.rows]
            self.faults.append(Fault(f"tariff {tariff.tariff_id}", f"energy prices {items[0]!r} and {items[1]!r} are ambiguous"))
        self.energy_cells.append(1 + sum(len(each) for each in self.energy_winners))
        self.energy_winners.append(winners[0])

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


def _choose_by_table(
    candidates: dict[int, Candidates], patterns: tuple[Pattern, ...], table: PrefixTable, prices: Ints, _: Ints
) -> tuple[Choices, list[Level]]:
    winners, level = resolve(candidates, patterns, table, prices)
    return dense_choices(winners), level


def _choose(
    candidates: dict[int, Candidates], patterns: tuple[Pattern, ...], table: PrefixTable, prices: Ints, rules: Ints
) -> tuple[Choices, list[Level]]:
    from rating.compiled.choice_search import choose  # loads kernels, which few cells do without

    return choose(candidates, patterns, table, prices, rules)


def bundle_rule(owner: str, version: TariffVersion, allowance: Allowance) -> BookRule:
    """The one rule of a priced bundle: its own rate, at all times and for all numbers, rounded as the version says."""
    kind = allowance.kind
    assert kind is not None and allowance.rate is not None, "a bundle's kind is that of its rate"
    names = (owner, version.label, allowance.name, kind, "", "")
    return BookRule(*names, allowance.rate, version.rounding, kind != UsageKind.VOICE)


def _book_rule(owner: Tariff, tariff: Tariff, row: RuleRow) -> BookRule:
    version = tariff.versions[row.version]
    fallback = "" if tariff is owner else tariff.tariff_id
    # Only voice has a shape in time; the start instant prices all of a volume or message (reference: rating §3).
    by_start = row.kind != UsageKind.VOICE or version.priced_at is PricedAt.USAGE_START
    names = (row.item, row.kind, row.destination, row.window)
    return BookRule(owner.tariff_id, version.label, *names, row.rate, row.rounding, by_start, fallback)


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
