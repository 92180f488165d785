"""Fallback chains: one timeline and one table of winners for a tariff and the tariffs that price what it does not.

The chain is asked for every instant (reference: rating §2): the first tariff with a winner there wins, so a fallback also fills
the time before a version starts. Members keep their own zones, versions and windows; all of it is resolved here, once.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.compiled.choices import Choices
from rating.compiled.timeline import NO_VERSION, Pattern, Timeline
from rating.compiled.winners import NO_RATE_AT_INSTANT, NO_RATE_FOR_DESTINATION, RuleRow
from rating.language.shared_terms import ServiceKind
from rating.language.tariff import Tariff
from rating.language.yaml_places import close_match
from schemas.errors import ConfigurationError, Fault

DEPTH_MAX = 3  # fallbacks of fallbacks of fallbacks; deeper ones are cut, and so is a tariff that is in the chain already
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Member:
    """A tariff of a chain by itself: its timeline, its patterns (the last outside all versions), rows and choices by kind."""

    tariff: Tariff
    timeline: Timeline
    patterns: tuple[Pattern, ...]
    rows: tuple[RuleRow, ...]
    choices: tuple[Choices, ...]  # of each kind, rows counted within the member


@dataclass(frozen=True, slots=True)
class Chain:
    """Members in order. `columns[m]` is the pattern of member m for each pattern of the chain's timeline."""

    members: tuple[Member, ...]
    timeline: Timeline
    patterns: tuple[Pattern, ...]
    columns: tuple[I32, ...]


def chain_of(tariff: Tariff, by_id: Mapping[str, Tariff], depth: int = DEPTH_MAX) -> tuple[Tariff, ...]:
    """The tariff and its fallbacks, each followed by its own, as they are asked."""
    found: dict[str, Tariff] = {tariff.tariff_id: tariff}

    def enter(ids: tuple[str, ...], left: int) -> None:
        for one in ids:
            if left and one in by_id and one not in found:
                found[one] = by_id[one]
                enter(by_id[one].fallback, left - 1)

    enter(tariff.fallback, depth)
    return tuple(found.values())


def chain_faults(tariffs: Sequence[Tariff]) -> list[Fault]:
    """Fallbacks and derived runs to no tariff of these or to metered supply, and other currencies in a chain."""
    by_id = {tariff.tariff_id: tariff for tariff in tariffs}
    faults = []
    for tariff in tariffs:
        where = tariff.where or f"tariff {tariff.tariff_id}"
        runs = [run.tariff_id for version in tariff.versions for run in version.derived if run.tariff_id]
        for what, one in [
            *(("fallback", one) for one in tariff.fallback),
            *(("derived run", one) for one in dict.fromkeys(runs)),
        ]:
            if one not in by_id:
                hint = close_match(one, by_id.keys() - {tariff.tariff_id})
                faults.append(Fault(where, f"no tariff for this {what}", repr(one), next_step=hint, code="unknown_name"))
            elif by_id[one].service is not ServiceKind.TELECOM:
                faults.append(Fault(where, f"a {what} to metered supply", repr(one), "a telecom tariff"))
        for member in chain_of(tariff, by_id)[1:]:
            if member.currency != tariff.currency:
                was = f"{member.currency} ({member.tariff_id})"
                faults.append(Fault(where, "another currency in the fallback chain", was, tariff.currency, code="chain_currency"))
    return faults


def needs_others(tariff: Tariff) -> bool:
    """Whether a tariff cannot be priced by itself."""
    return bool(tariff.fallback) or any(version.derived for version in tariff.versions)


def needed_tariffs(tariff: Tariff, by_id: Mapping[str, Tariff]) -> list[str]:
    """Ids of all tariffs that a tariff's chain and runs name, theirs included, the tariff's own first."""
    found = [tariff.tariff_id]
    for one in found:  # grows while it is walked
        of = by_id[one]
        named = [*of.fallback, *(run.tariff_id for version in of.versions for run in version.derived if run.tariff_id)]
        found += [name for name in dict.fromkeys(named) if name in by_id and name not in found]
    return found


def with_chains(tariffs: Sequence[Tariff]) -> list[Tariff]:
    """The same tariffs; the content hash of one with fallbacks covers them too, since they price.

    Raises:
        ConfigurationError: all faults of all chains.
    """
    faults = chain_faults(tariffs)
    if faults:
        raise ConfigurationError(faults)
    by_id = {tariff.tariff_id: tariff for tariff in tariffs}
    found = []
    for tariff in tariffs:
        hashes = [member.content_hash for member in chain_of(tariff, by_id)]
        if len(hashes) > 1:
            together = hashlib.sha256("".join(hashes).encode()).hexdigest()
            tariff = dataclasses.replace(tariff, content_hash=together)
        found.append(tariff)
    return found


def chained(members: Sequence[Member]) -> Chain:
    """One timeline for all members; alone, a member keeps its own."""
    first = members[0]
    if len(members) == 1:
        return Chain((first,), first.timeline, first.patterns, (np.arange(len(first.patterns), dtype=np.int32),))
    starts = np.unique(np.concatenate([member.timeline.starts_at for member in members]))
    each = [member.timeline.pattern[np.searchsorted(member.timeline.starts_at, starts, side="right") - 1] for member in members]
    distinct, pattern = np.unique(np.stack(each, axis=1), axis=0, return_inverse=True)
    pattern = pattern.reshape(-1)
    keep = np.ones(len(starts), dtype=np.bool_)
    keep[1:] = pattern[1:] != pattern[:-1]
    timeline = Timeline(
        starts[keep], pattern[keep].astype(np.int32), (Pattern(NO_VERSION, ()),) * len(distinct), first.timeline.end_at
    )
    outside = [len(member.patterns) - 1 for member in members]
    columns = tuple(np.append(distinct[:, place], last).astype(np.int32) for place, last in enumerate(outside))
    return Chain(tuple(members), timeline, (Pattern(NO_VERSION, ()),) * (len(distinct) + 1), columns)


def chain_winners(chain: Chain, kind: int) -> I32:
    """[nodes, patterns of the chain]: the winner of the earliest member that has one; rows count over all members.

    Where none has one, the destination is priced at another instant by some member, or by none at all.
    """
    found: I32 | None = None
    first = 0
    for member, columns in zip(chain.members, chain.columns, strict=True):
        own = member.choices[kind].table()[:, columns]
        own = np.where(own >= 0, own + np.int32(first), own)
        first += len(member.rows)
        if found is None:
            found = own
            continue
        nothing = np.where(
            (found == NO_RATE_AT_INSTANT) | (own == NO_RATE_AT_INSTANT), NO_RATE_AT_INSTANT, NO_RATE_FOR_DESTINATION
        )
        found = np.where(found >= 0, found, np.where(own >= 0, own, nothing))
    assert found is not None, "a chain has a member"
    return found
