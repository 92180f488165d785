"""What prices changed between two versions: by prefix and window for calls, by item for energy, by name for fees and taxes.

Calls are compared by what they cost and not by how the file says it: a rule that becomes a deck changes only the prefixes that
cost something else. Prefixes are joined by columns; a Python loop runs over different pairs of rates only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import polars as pl

from rating.language.call_terms import Rate, Rule
from rating.language.rates_text import quantity_text
from rating.language.shared_terms import Tier
from rating.language.tariff import TariffVersion
from schemas.money import amount_text
from schemas.quantities import UsageKind

T = TypeVar("T")
BILLION = 1_000_000_000
_ANY = ""  # destination, prefix and window


@dataclass(frozen=True, slots=True)
class PartChange:
    """One amount that changed: nano-units for each `per` base units (0: an amount by itself). `share` is (new - old) / old."""

    part: str
    old_nano: int
    new_nano: int
    old_per: int
    new_per: int
    kind: UsageKind

    @property
    def share(self) -> Fraction | None:
        """None where there was no price before."""
        if self.old_nano == 0:
            return None
        old, new = Fraction(self.old_nano, self.old_per or 1), Fraction(self.new_nano, self.new_per or 1)
        return (new - old) / abs(old)

    def text(self) -> str:
        """`price 0.09 -> 0.12 per 60 s (+33.3 %)`."""
        old, new = amount_text(self.old_nano), amount_text(self.new_nano)
        if self.old_per == self.new_per:
            per = f" per {quantity_text(self.new_per, self.kind)}" if self.new_per else ""
            return f"{self.part} {old} -> {new}{per} ({share_text(self.share)})"
        before, after = (quantity_text(per, self.kind) for per in (self.old_per, self.new_per))
        return f"{self.part} {old} per {before} -> {new} per {after} ({share_text(self.share)})"


@dataclass(frozen=True, slots=True)
class RateChange:
    """A change of rate for `prefixes` prefixes of a kind and window. None is: no rate there (no rule, or no such prefix)."""

    kind: UsageKind
    window: str
    old_rule: Rule | None
    new_rule: Rule | None
    old_rate: Rate | None
    new_rate: Rate | None
    prefixes: int
    first_prefix: str
    share_ppb: int = 0  # the largest share of an amount by magnitude, in billionths rounded away from zero
    is_from_zero: bool = False  # an amount that was zero before

    @property
    def parts(self) -> tuple[PartChange, ...]:
        """The amounts that changed; none where a rate was added or removed, or only its steps changed."""
        return part_changes(self.old_rate, self.new_rate, self.kind) if self.old_rate and self.new_rate else ()

    def jumps(self, share: Fraction) -> bool:
        """Whether an amount changed by more than a share, or from zero."""
        return self.is_from_zero or abs(self.share_ppb) > share * BILLION


def share_text(share: Fraction | None) -> str:
    """`+12.5 %`, rounded half up by magnitude to one decimal; `from zero` where there is no share."""
    if share is None:
        return "from zero"
    tenths = (2_000 * abs(share.numerator) + share.denominator) // (2 * share.denominator)
    sign = "-" if share < 0 else "+" if share > 0 else ""
    return f"{sign}{tenths // 10}.{tenths % 10} %"


class _Rates:
    """Numbers for rates, equal where all they say is equal."""

    def __init__(self) -> None:
        self.rates: list[Rate] = []
        self._of_object: dict[int, int] = {}
        self._of_content: dict[object, int] = {}

    def number(self, rate: Rate) -> int:
        number = self._of_object.get(id(rate))  # equal rates of a deck are mostly one object
        if number is None:
            content = (rate.connect_fee_nano, rate.minimum_charge_nano, rate.cap, rate.tiers)
            number = self._of_object[id(rate)] = self._of_content.setdefault(content, len(self.rates))
            if number == len(self.rates):
                self.rates.append(rate)
        return number


def rate_changes(before: TariffVersion, after: TariffVersion) -> list[RateChange]:
    """All changes of calls, grouped by rules and rates, removed and added ones included; in order of rules and prefixes."""
    rates = _Rates()
    old, new = (_priced_prefixes(version, rates) for version in (before, after))
    joined = old.join(new, on=["kind", "prefix", "window", "rank"], how="full", coalesce=True, suffix="_new")
    changed = joined.filter(~pl.col("rate").eq_missing(pl.col("rate_new")))
    grouped = (
        changed.group_by("kind", "window", "rule", "rule_new", "rate", "rate_new")
        .agg(pl.len().alias("prefixes"), pl.col("prefix").min().alias("first"))
        .sort("kind", "rule_new", "rule", "window", "first", "rate", "rate_new", nulls_last=True)
    )
    pairs = _shares(grouped.select("rate", "rate_new").drop_nulls().unique(), rates.rates)
    grouped = grouped.join(pairs, on=["rate", "rate_new"], how="left", maintain_order="left")
    found = []
    for kind, window, one, other, old_rate, new_rate, count, first, share, is_from_zero in grouped.iter_rows():
        old_rule, new_rule = None if one is None else before.rules[one], None if other is None else after.rules[other]
        both = (None if old_rate is None else rates.rates[old_rate], None if new_rate is None else rates.rates[new_rate])
        found.append(RateChange(UsageKind(kind), window, old_rule, new_rule, *both, count, first, share or 0, bool(is_from_zero)))
    return found


def _priced_prefixes(version: TariffVersion, rates: _Rates) -> pl.DataFrame:
    """kind, prefix, window, rank (by weight, of rules that share these), rule (index), rate (its number)."""
    by_name = {rate.name: rate for rate in version.rates}
    destinations = {to.name: to for to in version.destinations}
    schema = {"prefix": pl.String, "rate": pl.Int32, "kind": pl.Int32, "window": pl.String, "weight": pl.Int32, "rule": pl.Int32}
    parts = [pl.DataFrame(schema=schema)]
    for index, rule in enumerate(version.rules):
        to = destinations.get(rule.destination or "")
        prefixes: Sequence[str] = to.prefixes if to else (_ANY,)
        of_rule: Sequence[Rate] = to.deck_rates if to and rule.rate is None else [by_name[rule.rate or ""]] * len(prefixes)
        constants = {"kind": int(rule.kind), "window": rule.window or _ANY, "weight": rule.weight, "rule": index}
        own = pl.DataFrame(
            {"prefix": prefixes, "rate": [rates.number(rate) for rate in of_rule]}, schema={"prefix": pl.String, "rate": pl.Int32}
        )
        parts.append(own.with_columns(pl.lit(value, dtype=schema[name]).alias(name) for name, value in constants.items()))
    rank = pl.col("weight").rank("ordinal", descending=True).over("kind", "prefix", "window").alias("rank")
    return pl.concat(parts).with_columns(rank).drop("weight")


def _shares(pairs: pl.DataFrame, rates: list[Rate]) -> pl.DataFrame:
    """rate, rate_new, share_ppb and is_from_zero: by columns for pairs whose tiers start alike, one by one for the others."""
    shapes: dict[object, int] = {}
    shape = [shapes.setdefault(tuple((tier.from_usage, tier.per) for tier in rate.tiers), len(shapes)) for rate in rates]
    amounts = [
        [
            rate.connect_fee_nano,
            rate.minimum_charge_nano,
            rate.cap.amount_nano if rate.cap else 0,
            *(t.price_nano for t in rate.tiers),
        ]
        for rate in rates
    ]
    width = max((len(each) for each in amounts), default=0)
    columns = {f"amount{n}": [each[n] if n < len(each) else 0 for each in amounts] for n in range(width)}
    table = pl.DataFrame(
        {"rate": range(len(rates)), "shape": shape, **columns},
        schema={"rate": pl.Int32, "shape": pl.Int32, **dict.fromkeys(columns, pl.Int128)},
    )
    joined = pairs.join(table, on="rate", maintain_order="left").join(
        table, left_on="rate_new", right_on="rate", suffix="_new", maintain_order="left"
    )
    alike = joined.filter(pl.col("shape") == pl.col("shape_new"))
    shares, zeros = [pl.lit(0, dtype=pl.Int128)], [pl.lit(False)]
    for name in columns:
        one, other = pl.col(name), pl.col(f"{name}_new")
        magnitude = pl.when(one == 0).then(1).otherwise(one.abs()).cast(pl.Int128)
        rounded_up = ((other - one).abs() * BILLION + magnitude - 1) // magnitude
        shares.append(pl.when((one == 0) | (other == one)).then(0).otherwise(rounded_up * (other - one).sign()).cast(pl.Int128))
        zeros.append((one == 0) & (other != 0))
    most, least = pl.max_horizontal(shares), pl.min_horizontal(shares)
    alike = alike.select(
        "rate",
        "rate_new",
        pl.when(most >= least.abs()).then(most).otherwise(least).cast(pl.Int128).alias("share_ppb"),
        pl.any_horizontal(zeros).alias("is_from_zero"),
    )
    others = joined.filter(pl.col("shape") != pl.col("shape_new")).select("rate", "rate_new")
    rows = [(one, other, *_share_of(rates[one], rates[other])) for one, other in others.iter_rows()]
    return pl.concat([alike, pl.DataFrame(rows, schema=alike.schema, orient="row")])


def _share_of(old: Rate, new: Rate) -> tuple[int, bool]:
    shares = [part.share for part in part_changes(old, new, UsageKind.VOICE)]
    largest = max((share for share in shares if share is not None), key=abs, default=Fraction(0))
    magnitude = -(-abs(largest.numerator) * BILLION // largest.denominator)
    return magnitude if largest > 0 else -magnitude, None in shares


def _cap_nano(rate: Rate) -> int:
    return rate.cap.amount_nano if rate.cap else 0


def part_changes(old: Rate, new: Rate, kind: UsageKind) -> tuple[PartChange, ...]:
    """The amounts and steps of two rates that differ."""
    if old is new:
        return ()
    found = [
        PartChange(part, one, other, 0, 0, kind)
        for part, one, other in (
            ("connect fee", old.connect_fee_nano, new.connect_fee_nano),
            ("minimum", old.minimum_charge_nano, new.minimum_charge_nano),
            ("cap", _cap_nano(old), _cap_nano(new)),
        )
        if one != other
    ]
    return (*found, *tier_changes(old.tiers, new.tiers, kind))


def tier_changes(old: tuple[Tier, ...], new: tuple[Tier, ...], kind: UsageKind) -> tuple[PartChange, ...]:
    """Prices from each start of a tier on, in either; what follows the last start of the other compares with its last price."""
    found = []
    for start in sorted({tier.from_usage for tier in (*old, *new)}):
        one, other = (next(tier for tier in reversed(tiers) if tier.from_usage <= start) for tiers in (old, new))
        label = f"from {quantity_text(start, kind)}: " if start else ""
        if one.price_nano * other.per != other.price_nano * one.per:
            found.append(PartChange(f"{label}price", one.price_nano, other.price_nano, one.per, other.per, kind))
    last = {(change.old_nano, change.new_nano, change.old_per, change.new_per): change for change in reversed(found)}
    return tuple(sorted(last.values(), key=found.index))


@dataclass(frozen=True, slots=True)
class NamedChange:
    """A change of something with a name of its own: an energy price, a fee, a tax. Without parts it was added or removed."""

    group: str  # energy | fee | tax
    name: str
    is_in_old: bool
    is_in_new: bool
    parts: tuple[PartChange, ...]


def named_changes(before: TariffVersion, after: TariffVersion) -> list[NamedChange]:
    """Energy prices, fees and taxes that changed, were added or removed; a tax's amounts are parts per million."""
    prices = [{price.item: price.tiers for price in version.energy} for version in (before, after)]
    found = _by_name("energy", prices, lambda old, new: tier_changes(old, new, UsageKind.ENERGY))
    found += _by_name("fee", [{fee.name: fee.amount_nano for fee in v.fees} for v in (before, after)], _amount_change)
    return found + _by_name("tax", [{tax.name: tax.ppm for tax in v.taxes} for v in (before, after)], _amount_change)


def _amount_change(old: int, new: int) -> tuple[PartChange, ...]:
    return (PartChange("amount", old, new, 0, 0, UsageKind.ENERGY),) if old != new else ()


def _by_name(group: str, sides: Sequence[dict[str, T]], parts_of: Callable[[T, T], tuple[PartChange, ...]]) -> list[NamedChange]:
    old, new = sides
    found = []
    for name in [*old, *(name for name in new if name not in old)]:
        if name not in old or name not in new:
            found.append(NamedChange(group, name, name in old, name in new, ()))
        elif parts := parts_of(old[name], new[name]):
            found.append(NamedChange(group, name, True, True, parts))
    return found
