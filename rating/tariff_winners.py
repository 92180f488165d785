"""Which rule of a tariff prices what, over the whole calendar of its life: the table that all checks of a tariff read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.compiled.prefix_table import PrefixTable, compile_prefixes
from rating.compiled.timeline import Timeline, compile_timeline
from rating.compiled.winners import (
    CALL_KIND_COUNT,
    Candidates,
    Level,
    RuleRow,
    call_candidates,
    energy_candidates,
    price_numbers,
    resolve,
    rule_rows,
)
from rating.language.clocks import clock_of
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from schemas.quantities import UsageKind
from schemas.zones import US_PER_S, moment_of, zone_table

# Calendars repeat after 28 years (1901-2099), so this sees every combination of windows that an open version can have.
_HORIZON_US = (28 * 366) * 86_400 * US_PER_S
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KindWinners:
    """One kind of usage: candidates of each version, winners [nodes, patterns] (see `compiled.winners`), and what is level."""

    candidates: dict[int, Candidates]
    winners: npt.NDArray[np.int32]
    level: list[Level]


@dataclass(frozen=True, slots=True)
class TariffWinners:
    """The winners of a tariff from its first version to its end or for 28 years. `energy` holds a version's own, by its index."""

    tariff: Tariff
    timeline: Timeline
    rows: tuple[RuleRow, ...]
    table: PrefixTable
    calls: dict[UsageKind, KindWinners]
    energy: dict[int, KindWinners]
    credits: dict[int, KindWinners]  # prices of export, as energy

    def patterns_of(self, version: int) -> list[int]:
        """The columns in which a version is in force."""
        return [number for number, pattern in enumerate(self.timeline.patterns) if pattern.version == version]

    def first_instant(self, pattern: int) -> str:
        """When a pattern holds for the first time, local and to the minute."""
        at = int(self.timeline.starts_at[np.argmax(self.timeline.pattern == pattern)])
        return moment_of(at).astimezone(clock_of(self.tariff.zone, self.tariff.clock)).isoformat(timespec="minutes")

    def duration_us(self) -> Ints:
        """[patterns]: how long each holds in all."""
        ends = np.append(self.timeline.starts_at[1:], self.timeline.end_at)
        found = np.zeros(len(self.timeline.patterns), dtype=np.int64)
        np.add.at(found, self.timeline.pattern, ends - self.timeline.starts_at)
        return found


def life_timeline(tariff: Tariff) -> Timeline | None:
    """The timeline of a tariff from its first version to its end or for 28 years; None where it lies outside the zone's table."""
    if not tariff.versions:
        return None
    years = zone_table(tariff.zone).starts_at[0]
    start_at = max(tariff.versions[0].effective_from_at, int(years))
    last = tariff.versions[-1]
    open_from = max(last.effective_from_at, start_at)
    end_at = min(last.effective_to_at, open_from + _HORIZON_US)
    return compile_timeline(tariff, start_at, end_at) if start_at < end_at else None


def tariff_winners(tariff: Tariff) -> TariffWinners | None:
    """The winners over the life of a tariff; None where no part of it can be checked (see `life_timeline`)."""
    timeline = life_timeline(tariff)
    if timeline is None:
        return None
    rows = rule_rows(tariff)
    table = compile_prefixes(prefix for version in tariff.versions for to in version.destinations for prefix in to.prefixes)
    prices = price_numbers(rows)
    calls = {}
    for kind in list(UsageKind)[:CALL_KIND_COUNT]:
        if not any(row.kind == kind for row in rows):
            continue
        found = {
            index: call_candidates(version, index, kind, rows, table.node_of) for index, version in enumerate(tariff.versions)
        }
        calls[kind] = KindWinners(found, *resolve(found, timeline.patterns, table, prices))
    energy, credits = {}, {}
    for index, version in enumerate(tariff.versions):
        if version.energy:
            energy[index] = _metered_winners(index, version, version.energy, timeline)
        if credit_prices(version):
            credits[index] = _metered_winners(index, version, credit_prices(version), timeline)
    return TariffWinners(tariff, timeline, rows, table, calls, energy, credits)


def credit_prices(version: TariffVersion) -> tuple[EnergyPrice, ...]:
    """The prices of export by window, none where it has no prices of its own."""
    return version.supply.export.prices if version.supply.export else ()


def _metered_winners(index: int, version: TariffVersion, prices: tuple[EnergyPrice, ...], timeline: Timeline) -> KindWinners:
    own = np.arange(len(prices), dtype=np.int64)  # each is an item of its own on the bill, so none may be level
    found = {index: energy_candidates(prices, version, 0)}
    return KindWinners(found, *resolve(found, timeline.patterns, compile_prefixes(()), own))
