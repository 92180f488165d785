"""The compiled form of tariffs: flat arrays for the kernels, and rows that say what an index means.

Instants are microseconds UTC, quantities base units, money integers over the denominator of a rule (see `increments`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.compiled.prefix_table import PrefixTable
from rating.compiled.rule_layout import LADDER
from rating.compiled.timeline import Pattern
from rating.language.call_terms import Allowance, DerivedRun, Rate
from rating.language.discount_terms import Discount
from rating.language.shared_terms import Rounding
from rating.language.tariff import Tariff
from schemas.quantities import UsageKind

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BookRule:
    """What a `rule_index` means. An empty destination or window is any."""

    tariff_id: str
    version: str
    item: str
    kind: UsageKind
    destination: str
    window: str
    rate: Rate
    rounding: Rounding
    usage_start: bool  # version and window are those of the start of the usage
    fallback: str = ""  # the tariff of the chain that prices here, empty for the tariff itself

    @property
    def shown_version(self) -> str:
        """The version as bills and explanations name it."""
        return f"{self.version} of {self.fallback}" if self.fallback else self.version


@dataclass(frozen=True, slots=True)
class EnergyItem:
    """What an `item_index` means: one price of a TOU period in one tier, `price_nano` for each `per` milliwatt-hours."""

    tariff_id: str
    version: str
    item: str
    price_nano: int
    per: int
    from_milliwh: int
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class BookAllowance:
    """What an `allowance_index` means: an allowance of a tariff version, in force over `[effective_from_at, effective_to_at)`."""

    tariff_id: str
    version: str
    effective_from_at: int
    effective_to_at: int
    allowance: Allowance
    borders: I64 | None = None  # instants at which its windows open and close in turn, None always open
    bundle: int = -1  # position in `bundle_rules` of a priced bundle's own rate


@dataclass(frozen=True, slots=True)
class BookDiscount:
    """What a `discount_index` means: a discount of a version of a tariff, or of one of its fallbacks, and that one's clock."""

    tariff_id: str
    fallback: str
    version: str
    zone: str
    clock: str
    discount: Discount


@dataclass(frozen=True, slots=True)
class Discounts:
    """The discounts of a book (layout: `rating.compiled.discount_sets`)."""

    entries: tuple[BookDiscount, ...]
    set_first: I32  # [sets + 1] into rows
    rows: I64  # [discounts, 21]
    tiers: I64  # [tiers, 2]: from_total, ppm
    rule_mask: I64  # [rules]: bit j, the rule's kind and item admit the j-th discount of its set
    destinations: npt.NDArray[np.bool_]  # [filters, nodes]
    windows: npt.NDArray[np.bool_]  # [filters, pattern columns]
    counters: tuple[tuple[str, str, str], ...]  # (tariff_id, fallback, name)
    offers: tuple[BookRule, ...]  # trial rates as rules of their own, laid out as those of the book
    offer_rows: I64
    offer_scales: I64
    offer_words: I64


@dataclass(frozen=True, slots=True)
class BookRun:
    """What a `run_index` means: a derived run of a version, in force over `[effective_from_at, effective_to_at)`."""

    tariff_id: str
    version: str
    effective_from_at: int
    effective_to_at: int
    run: DerivedRun


INDEX_BITS = 30  # a step of the timeline index: 2**30 us, about 18 minutes


@dataclass(frozen=True, slots=True)
class Timelines:
    """All tariffs' timelines: `segment[s] = (end_at, pattern column)`, entered through an index of 2**30 us steps."""

    start_at: int
    end_at: int
    index: I32  # [tariffs, steps] -> a segment at or before the step's start
    segment: I64  # [segments, 2]; the last of each tariff ends at 2**62

    def place_of(self, tariff: int, at: int) -> int:
        """The segment of a tariff that holds an instant, -1 outside the span; kernels do the same inline."""
        if not self.start_at <= at < self.end_at:
            return -1
        place = int(self.index[tariff, (at - self.start_at) >> INDEX_BITS])
        while at >= self.segment[place, 0]:
            place += 1
        return place


@dataclass(frozen=True, slots=True)
class TariffBook:
    """Several tariffs compiled together, for usage that starts in `[span[0], span[1])`.

    `tariff_index` is the position in `tariff_ids` (sorted). `cell_of[tariff * 3 + kind, node]` is the place of a record in
    `choices` (see there); `rule_at` gives a rule index, -1 (no rate at this instant) or -2 (no rate for this destination).
    """

    span: tuple[int, int]
    tariff_ids: tuple[str, ...]
    content_hashes: tuple[str, ...]
    tariffs: tuple[Tariff, ...]
    timelines: Timelines
    patterns: tuple[tuple[Pattern, ...], ...]  # [tariffs][pattern columns]
    prefixes: PrefixTable
    cell_of: I32
    choices: I32
    rules: tuple[BookRule, ...]
    rule_rows: I64  # [rules, 8], see rule_layout
    step_rows: I64  # [steps, 4], see rule_layout
    scale_rows: I64  # [scales, 5], see rule_layout
    rule_words: I64  # see rule_layout
    energy_winner: I32  # an energy price, -1 or -2
    energy_cell: I32  # [tariffs]: cell + pattern column is a place in energy_winner
    energy_first_item: I32  # [energy prices + 1]
    energy_items: tuple[EnergyItem, ...]
    energy_from: I64  # [items] lower bound in milliwh
    most_items: int  # of one tariff
    energy_mode: npt.NDArray[np.int8]  # [energy prices] how tiers are climbed, see ladders
    allowances: tuple[BookAllowance, ...]
    allowance_match: npt.NDArray[np.int8]  # [allowances, nodes]: matched prefix length + 1, 0 = does not pay
    bundle_rules: tuple[BookRule, ...]  # the rates of priced bundles
    discounts: Discounts
    runs: tuple[BookRun, ...]  # in order of (tariff, version, name)
    run_destinations: npt.NDArray[np.bool_]  # [runs, nodes]: the run takes numbers of this node
    index_of: dict[str, int] = field(default_factory=dict)

    def tariff_index(self, tariff_id: str) -> int:
        """The index of a tariff, -1 where the book has none of this id."""
        return self.index_of.get(tariff_id, -1)

    def rule_at(self, cell: int, place: int) -> int:
        """The rule of a cell in a segment; kernels do the same by `choice_kernels.rule_at`."""
        offset = self.choices[self.choices[cell] + self.timelines.segment[place, 1]]
        return int(self.choices[cell + offset])

    def discount_items(self, rule_index: int) -> tuple[str, ...]:
        """The names of the discounts that records of a rule may get, in stacking order."""
        of_rule = int(self.rule_words[self.rule_rows[rule_index, 7] + LADDER])
        if of_rule < 0:
            return ()
        first, end = (int(at) for at in self.discounts.set_first[of_rule : of_rule + 2])
        mask = int(self.discounts.rule_mask[rule_index])
        return tuple(self.discounts.entries[row].discount.item for row in range(first, end) if mask >> (row - first) & 1)

    def rules_frame(self) -> pl.DataFrame:
        """The rules as a frame: rule_index, tariff_id, version, item, kind, destination, window, rate."""
        columns = ("tariff_id", "version", "item", "destination", "window")
        names = {"version": "shown_version"}
        frame = pl.DataFrame(
            {name: [getattr(rule, names.get(name, name)) for rule in self.rules] for name in columns},
            schema=dict.fromkeys(columns, pl.String),
        )
        kinds = pl.Series("kind", [rule.kind.label for rule in self.rules], dtype=pl.String)
        rates = pl.Series("rate", [rule.rate.name for rule in self.rules], dtype=pl.String)
        return frame.with_columns(kinds, rates).with_row_index("rule_index")
