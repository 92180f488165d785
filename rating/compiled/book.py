"""The compiled form of tariffs: flat arrays for the kernels, and rows that say what an index means.

Instants are microseconds UTC, quantities base units, money integers over the denominator of a rule (see `increments`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.compiled.prefixes import PrefixTable
from rating.compiled.rule_layout import LADDER
from rating.language.call_terms import Allowance, Discount, Rate
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

    `tariff_index` is the position in `tariff_ids` (sorted). `cell_of[tariff * 3 + kind, node] + pattern column` is a place in
    `winner`, which holds a rule index, -1 (no rate at this instant) or -2 (no rate for this destination).
    """

    span: tuple[int, int]
    tariff_ids: tuple[str, ...]
    content_hashes: tuple[str, ...]
    tariffs: tuple[Tariff, ...]
    timelines: Timelines
    prefixes: PrefixTable
    cell_of: I32
    winner: I32
    rules: tuple[BookRule, ...]
    rule_rows: I64  # [rules, 8], see increments
    scale_rows: I64  # [scales, 3], see increments
    rule_words: I64  # see increments
    energy_cell: I32  # [tariffs]: cell + pattern column -> winner -> an energy price
    energy_first_item: I32  # [energy prices + 1]
    energy_items: tuple[EnergyItem, ...]
    energy_from: I64  # [items] lower bound in milliwh
    allowances: tuple[BookAllowance, ...]
    allowance_match: npt.NDArray[np.int8]  # [allowances, nodes]: matched prefix length + 1, 0 = does not pay
    bundle_rules: tuple[BookRule, ...]  # the rates of priced bundles
    discounts: tuple[tuple[str, str, Discount], ...]  # (tariff_id, version, ladder)
    discount_first: I32  # [discounts + 1] into discount_tiers
    discount_tiers: I64  # [tiers, 2]: from_nano, ppm
    index_of: dict[str, int] = field(default_factory=dict)

    def tariff_index(self, tariff_id: str) -> int:
        """The index of a tariff, -1 where the book has none of this id."""
        return self.index_of.get(tariff_id, -1)

    def discount_item(self, rule_index: int) -> str:
        """The bill label of the discount ladder that records of a rule climb, empty for none."""
        ladder = int(self.rule_words[self.rule_rows[rule_index, 7] + LADDER])
        return "" if ladder < 0 else self.discounts[ladder][2].item

    def rules_frame(self) -> pl.DataFrame:
        """The rules as a frame: rule_index, tariff_id, version, item, kind, destination, window, rate."""
        columns = ("tariff_id", "version", "item", "destination", "window")
        frame = pl.DataFrame(
            {name: [getattr(rule, name) for rule in self.rules] for name in columns}, schema=dict.fromkeys(columns, pl.String)
        )
        kinds = pl.Series("kind", [rule.kind.label for rule in self.rules], dtype=pl.String)
        rates = pl.Series("rate", [rule.rate.name for rule in self.rules], dtype=pl.String)
        return frame.with_columns(kinds, rates).with_row_index("rule_index")
