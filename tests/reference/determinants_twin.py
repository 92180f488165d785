"""The slow, obvious twin of the determinants: one step at a time, zoneinfo and fractions, nothing compiled.

Steps are (start_at, step_us, milliwh) in order of time; a price or a window is sought at each instant anew.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import floor

from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import DemandPrice, MeasureKind, TierScope
from schemas.zones import moment_of, zone_of
from tests.reference.rating_twin import RatingTwin

Step = tuple[int, int, int]
Cell = tuple[int, int, int]  # (version, price, tier)
HOUR_US = 3_600_000_000


def price_at(tariff: Tariff, at: int) -> tuple[int, int] | None:
    """(version index, price index) in force at an instant."""
    twin, best = RatingTwin(tariff), None
    for index, version in enumerate(tariff.versions):
        if version.effective_from_at <= at < version.effective_to_at:
            windows = {window.name: window for window in version.windows}
            for position, price in enumerate(version.energy):
                since = datetime.min if price.window is None else twin.occurrence(windows[price.window], at)
                if since is not None and (best is None or (price.weight, since) > best[0]):
                    best = ((price.weight, since), (index, position))
    return best[1] if best else None


def energy_of(
    tariff: Tariff, steps: list[Step], *, bounds: dict[tuple[int, int], list[int]] | None = None, opening: int = 0
) -> dict[Cell, int] | None:
    """(version, price, tier) -> milliwh of one group; None where some instant has no price. `bounds` by (version, price)."""
    limits = bounds or {
        (v, p): [tier.from_usage for tier in price.tiers]
        for v, version in enumerate(tariff.versions)
        for p, price in enumerate(version.energy)
    }
    found: dict[Cell, int] = {}
    late: dict[tuple[int, int], int] = {}
    reached: dict[object, int] = {}
    for at, _, milliwh in steps:
        price = price_at(tariff, at)
        if price is None:
            return None
        ladder = tariff.versions[price[0]].supply.ladder
        own = ladder.scope is TierScope.PER_PERIOD
        if ladder.scope is TierScope.SHARED_PRORATED or ladder.whole_quantity:
            late[price] = late.get(price, 0) + milliwh
            continue
        key = price if own else "shared"
        rest = milliwh
        while rest:
            total = reached.get(key, 0 if own else opening)
            tier = max(n for n, bound in enumerate(limits[price]) if bound <= total)
            above = limits[price][tier + 1] if tier + 1 < len(limits[price]) else total + rest
            part = min(rest, above - total) if ladder.split_at_bound else rest
            found[*price, tier] = found.get((*price, tier), 0) + part
            reached[key] = total + part
            rest -= part
    _add_late(tariff, late, limits, opening, found)
    return {cell: milliwh for cell, milliwh in found.items() if milliwh}


def _add_late(
    tariff: Tariff,
    late: dict[tuple[int, int], int],
    limits: dict[tuple[int, int], list[int]],
    opening: int,
    found: dict[Cell, int],
) -> None:
    """Ladders that the whole period decides: prorated by each price's share (cumulative, half up), or the tier that is reached."""
    together = sum(
        milliwh for price, milliwh in late.items() if tariff.versions[price[0]].supply.ladder.scope is not TierScope.PER_PERIOD
    )
    for price, milliwh in late.items():
        ladder, bounds = tariff.versions[price[0]].supply.ladder, limits[price]
        if ladder.whole_quantity:
            reached = milliwh if ladder.scope is TierScope.PER_PERIOD else together + opening
            tier = max(n for n, bound in enumerate(bounds) if bound <= reached)
            found[*price, tier] = milliwh
            continue
        done = 0
        for tier in range(len(bounds)):
            last = tier + 1 == len(bounds)
            below = together if last else min(together, max(bounds[tier + 1] - opening, 0))
            until = floor(Fraction(milliwh * below, together) + Fraction(1, 2)) if together else 0
            found[*price, tier] = until - done
            done = until


def peaks_of(
    tariff: Tariff, steps: list[Step], period: tuple[int, int]
) -> dict[tuple[int, int], tuple[list[tuple[int, int]], int]]:
    """(version, demand price) -> ([(milliwatts, start of the window)] in order of rank, windows missing) of one group.

    All steps are of one length; prices without any window, found or missing, are absent.
    """
    held = {at: milliwh for at, _, milliwh in steps}
    step = steps[0][1]
    grid = list(range(period[0], period[1], step))
    found = {}
    for index, version in enumerate(tariff.versions):
        for position, price in enumerate(version.demand):
            length = step if price.measure.kind is MeasureKind.STEP else price.measure.minutes * 60_000_000
            if length % step:
                missing = sum(_in_force(tariff, version, price, at) for at in grid)
                if missing:
                    found[index, position] = ([], missing)
                continue
            windows = [at for at in grid if _is_window(tariff, version, price, at, step, length, period[1])]
            whole = [at for at in windows if all(at + k * step in held for k in range(length // step))]
            powers = [(_power(sum(held[at + k * step] for k in range(length // step)), length), at) for at in whole]
            if windows:
                found[index, position] = (_ranked(tariff, price, powers), len(windows) - len(whole))
    return found


def _power(milliwh: int, length: int) -> int:
    return floor(Fraction(milliwh * HOUR_US, length) + Fraction(1, 2))


def _ranked(tariff: Tariff, price: DemandPrice, powers: list[tuple[int, int]]) -> list[tuple[int, int]]:
    count = price.count if price.pick == "mean_of_highest" else 1
    in_order = sorted(powers, key=lambda one: (-one[0], one[1]))
    if not price.distinct_days:
        return in_order[:count]
    days: set[object] = set()
    kept = []
    for power, at in in_order:
        day = _wall(tariff, at).date()
        if day not in days:
            days.add(day)
            kept.append((power, at))
    return kept[:count]


def _is_window(tariff: Tariff, version: TariffVersion, price: DemandPrice, at: int, step: int, length: int, end: int) -> bool:
    """Whether a window may start here: all of it inside the period, the version and the price's window; blocks aligned and uncut."""
    if at + length > end or not all(_in_force(tariff, version, price, at + k) for k in range(0, length, step)):
        return False
    if price.measure.kind is not MeasureKind.BLOCK:
        return True
    wall = _wall(tariff, at)
    since_midnight = wall.replace(tzinfo=None) - datetime(wall.year, wall.month, wall.day)
    aligned = since_midnight % timedelta(minutes=price.measure.minutes) == timedelta(0)
    return aligned and all(_wall(tariff, at + k).utcoffset() == wall.utcoffset() for k in range(0, length, step))


def _in_force(tariff: Tariff, version: TariffVersion, price: DemandPrice, at: int) -> bool:
    if not version.effective_from_at <= at < version.effective_to_at:
        return False
    if price.window is None:
        return True
    window = next(window for window in version.windows if window.name == price.window)
    return RatingTwin(tariff).occurrence(window, at) is not None


def _wall(tariff: Tariff, at: int) -> datetime:
    return moment_of(at).replace(tzinfo=UTC).astimezone(zone_of(tariff.zone))
