"""What the product must say about a generated operator, known by construction and not by running the product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.reasons import Disposition, Reason

BILLED = Disposition.BILLED.value
DUPLICATE = Disposition.DUPLICATE.value
SUPERSEDED = Disposition.SUPERSEDED.value
UNREADABLE = frozenset(reason.label for reason in Reason if 1 <= reason < Reason.UNANSWERED)


@dataclass(frozen=True, slots=True)
class FileAccount:
    """The row account of one file that is collected.

    `path` is relative to the operator's folder; `records` counts call lines without the header, or NEM12 days (300 records).
    `places` maps `billed`, `duplicate`, `superseded` or the label of a `Reason` to the records that end there; they sum to
    `records`.
    """

    path: str
    records: int
    places: Mapping[str, int]

    def __post_init__(self) -> None:
        assert sum(self.places.values()) == self.records, self.path


@dataclass(frozen=True, slots=True)
class OperatorSummary:
    """The expected row account of a generated operator.

    files: every file that is collected, in path order; duplicate_files: same content as another file, listed and not collected;
    refused_files: invalid, set aside whole. `energy_milliwh` is the energy of all billed NEM12 days, of which
    `energy_in_period_milliwh` lies in the billing period: its first and last NEM12 day (UTC+10) reach into the neighbours.
    """

    period: str
    seed: int
    services: int
    accounts: int
    files: tuple[FileAccount, ...]
    duplicate_files: tuple[str, ...]
    refused_files: tuple[str, ...]
    energy_milliwh: int
    energy_in_period_milliwh: int
    unbilled_energy_milliwh: Mapping[str, int] = field(default_factory=dict)

    def places(self, folder: str = "") -> Counter[str]:
        """Records by place over all files under `folder` (such as `inbox/calls`), or over all files."""
        total: Counter[str] = Counter()
        for file in self.files:
            if file.path.startswith(folder):
                total.update(file.places)
        return total

    def records(self, folder: str = "") -> int:
        return sum(self.places(folder).values())

    @property
    def good_rows(self) -> int:
        """Records that are priced and live."""
        return self.places()[BILLED]

    @property
    def duplicates(self) -> int:
        return self.places()[DUPLICATE]

    @property
    def superseded(self) -> int:
        return self.places()[SUPERSEDED]

    @property
    def conflicts(self) -> int:
        """Records in conflict: every version counts."""
        return self.places()[Reason.CONFLICT.label]

    @property
    def broken(self) -> int:
        """Records that cannot be read."""
        return sum(count for place, count in self.places().items() if place in UNREADABLE)

    @property
    def unknown(self) -> int:
        return self.places()[Reason.UNKNOWN_SERVICE.label]

    @property
    def zero_usage(self) -> int:
        """Unanswered calls: their duration is zero."""
        return self.places()[Reason.ZERO_USAGE.label]

    def by_disposition(self, folder: str = "") -> dict[str, int]:
        """The same sums by the seven places of the row account."""
        sums: Counter[str] = Counter()
        for place, count in self.places(folder).items():
            sums[disposition_of(place)] += count
        return dict(sorted(sums.items()))

    def as_json(self) -> dict[str, object]:
        """The whole summary for `--json` and for tests; energies as integers of milliwatt-hours."""
        return {
            "period": self.period,
            "seed": self.seed,
            "services": self.services,
            "accounts": self.accounts,
            "records": self.records(),
            "dispositions": self.by_disposition(),
            "places": dict(sorted(self.places().items())),
            "files": [{"path": file.path, "records": file.records, **dict(sorted(file.places.items()))} for file in self.files],
            "duplicate_files": list(self.duplicate_files),
            "refused_files": list(self.refused_files),
            "energy_milliwh": self.energy_milliwh,
            "energy_in_period_milliwh": self.energy_in_period_milliwh,
            "unbilled_energy_milliwh": dict(sorted(self.unbilled_energy_milliwh.items())),
        }


def disposition_of(place: str) -> str:
    """The disposition that a place of a `FileAccount` is counted under."""
    if place in (BILLED, DUPLICATE, SUPERSEDED):
        return place
    return Reason[place.upper()].disposition.value


def counted(path: str, places: Iterable[str]) -> FileAccount:
    """The account of one file from the place of each of its records."""
    counts = Counter(places)
    return FileAccount(path, sum(counts.values()), dict(sorted(counts.items())))
