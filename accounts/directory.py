"""Who had a service when: assignments compiled to flat arrays, resolved for a whole batch by one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from accounts.settlement_groups import bucket_of, settlement_groups
from schemas.hashing import mixed_number
from schemas.kernels import kernel
from schemas.numbers import DIGITS_MAX, packed_number

UNKNOWN_SERVICE, NO_SERVICE_AT_INSTANT = -1, -2

_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_COUNT_BITS = np.uint64(16)
_COUNT_MASK = np.uint64(0xFFFF)


@dataclass(frozen=True)
class Directory:
    """Accounts in rank order (bucket, settlement group, account id) and their effective-dated service assignments.

    Arrays by account rank: `account_id`, `bill_to`, `group_rank` (rank of the group's first account), `bucket`, `account_key`
    (permanent). Arrays by assignment: `service_id`, `assigned_rank`, `tariff_index` (into `tariff_ids`), `from_at`, `to_at`
    (us UTC, half-open), sorted by (service_id, from_at).
    """

    account_id: npt.NDArray[np.object_]
    bill_to: npt.NDArray[np.object_]
    group_rank: npt.NDArray[np.int32]
    bucket: npt.NDArray[np.int32]
    account_key: npt.NDArray[np.int32]
    bucket_starts: npt.NDArray[np.int64]
    tariff_ids: tuple[str, ...]
    service_id: npt.NDArray[np.object_]
    assigned_rank: npt.NDArray[np.int32]
    tariff_index: npt.NDArray[np.int32]
    from_at: npt.NDArray[np.int64]
    to_at: npt.NDArray[np.int64]
    slots: npt.NDArray[np.uint64]  # [s, 2] open-addressed by number: (packed number, first assignment << 16 | count)
    assignments: npt.NDArray[np.int64]  # [a, 4] one cache line for a look-up: (from, to, rank, tariff)
    rank_of_key: npt.NDArray[np.int32]
    first_of_service: dict[str, tuple[int, int]]

    @property
    def accounts(self) -> int:
        return len(self.account_id)

    def resolve_numbers(self, numbers: npt.NDArray[np.uint64], instants: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Assignment in force per record, or UNKNOWN_SERVICE, or NO_SERVICE_AT_INSTANT. Packed numbers, us UTC."""
        out = np.empty(len(numbers), np.int32)
        resolve(numbers, instants, self.slots, self.assignments, out)
        return out

    def resolve_names(self, names: Sequence[str], instants: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """The same for services by name (meter channels), column-wise: one look-up per distinct name."""
        distinct, code = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)
        spans = np.array([self.first_of_service.get(str(name), (0, 0)) for name in distinct], np.int64).reshape(-1, 2)
        first, count = spans[code, 0], spans[code, 1]
        out = np.where(count > 0, NO_SERVICE_AT_INSTANT, UNKNOWN_SERVICE).astype(np.int32)
        for step in range(int(spans[:, 1].max(initial=0))):
            row = np.where(step < count, first + step, 0)
            hit = (step < count) & (self.from_at[row] <= instants) & (instants < self.to_at[row])
            out[hit] = row[hit]
        return out


@kernel()
def resolve(numbers, instants, slots, assignments, out):  # type: ignore[no-untyped-def]
    """Hash look-up of each number, then its few assignments by instant."""
    mask = np.uint64(slots.shape[0] - 1)
    for i in range(numbers.shape[0]):
        number = numbers[i]
        at = mixed_number(number) & mask
        while slots[at, 0] != _ZERO and slots[at, 0] != number:
            at = (at + _ONE) & mask
        if slots[at, 0] == _ZERO:
            out[i] = UNKNOWN_SERVICE
            continue
        found = NO_SERVICE_AT_INSTANT
        first = np.int64(slots[at, 1] >> _COUNT_BITS)
        for row in range(first, first + np.int64(slots[at, 1] & _COUNT_MASK)):
            if assignments[row, 0] <= instants[i] < assignments[row, 1]:
                found = row
                break
        out[i] = found


@kernel()
def fill_slots(numbers, spans, slots):  # type: ignore[no-untyped-def]
    mask = np.uint64(slots.shape[0] - 1)
    for i in range(numbers.shape[0]):
        at = mixed_number(numbers[i]) & mask
        while slots[at, 0] != _ZERO:
            at = (at + _ONE) & mask
        slots[at, 0] = numbers[i]
        slots[at, 1] = spans[i]


def compile_directory(
    accounts: pl.DataFrame, services: pl.DataFrame, *, buckets: int, tariff_ids: tuple[str, ...], account_keys: dict[str, int]
) -> Directory:
    """Compile checked reference frames (see `reference_files`); `account_keys` gives each account its permanent key."""
    groups = settlement_groups(accounts)
    ranked = (
        accounts.with_columns(group=pl.col("account_id").replace_strict(groups, return_dtype=pl.String))
        .with_columns(
            bucket=pl.col("group").replace_strict(
                {g: bucket_of(g, buckets) for g in set(groups.values())}, return_dtype=pl.Int32
            ),
            account_key=pl.col("account_id").replace_strict(account_keys, return_dtype=pl.Int32),
        )
        .sort("bucket", "group", "account_id")
        .with_row_index("rank")
        .with_columns(group_rank=pl.col("rank").min().over("group").cast(pl.Int32))
    )
    rank_of = dict(zip(ranked["account_id"], ranked["rank"], strict=True))
    services = services.sort("service_id", "effective_from_at")
    spans = (
        services.with_row_index("row")
        .group_by("service_id", maintain_order=True)
        .agg(pl.col("row").first(), pl.len().alias("count"))
    )
    first_of_service = {name: (row, count) for name, row, count in spans.iter_rows()}
    keys = ranked["account_key"].to_numpy()
    rank_of_key = np.full(int(keys.max(initial=-1)) + 1, -1, np.int32)
    rank_of_key[keys] = np.arange(len(keys), dtype=np.int32)
    bucket = ranked["bucket"].to_numpy()
    tariff_index = {name: index for index, name in enumerate(tariff_ids)}
    ranks = services["account_id"].replace_strict(rank_of, return_dtype=pl.Int32).to_numpy()
    tariffs = services["tariff_id"].replace_strict(tariff_index, return_dtype=pl.Int32).to_numpy()
    return Directory(
        account_id=ranked["account_id"].to_numpy().astype(object),
        bill_to=ranked["bill_to_account_id"].to_numpy().astype(object),
        group_rank=ranked["group_rank"].to_numpy(),
        bucket=bucket,
        account_key=keys,
        bucket_starts=np.searchsorted(bucket, np.arange(buckets + 1)).astype(np.int64),
        tariff_ids=tariff_ids,
        service_id=services["service_id"].to_numpy().astype(object),
        assigned_rank=ranks,
        tariff_index=tariffs,
        from_at=services["effective_from_at"].to_numpy(),
        to_at=services["effective_to_at"].to_numpy(),
        slots=_number_slots(spans),
        assignments=_assignment_rows(services, ranks, tariffs),
        rank_of_key=rank_of_key,
        first_of_service=first_of_service,
    )


def _assignment_rows(
    services: pl.DataFrame, ranks: npt.NDArray[np.int32], tariffs: npt.NDArray[np.int32]
) -> npt.NDArray[np.int64]:
    """Assignments as rows of four; one that never holds stands in where there are none, so that kernels may read the first."""
    rows = np.column_stack([services["effective_from_at"].to_numpy(), services["effective_to_at"].to_numpy(), ranks, tariffs])
    return rows.astype(np.int64) if len(rows) else np.zeros((1, 4), np.int64)


def _number_slots(spans: pl.DataFrame) -> npt.NDArray[np.uint64]:
    """Open-addressed table of the services whose id is a telephone number, at most half full."""
    numeric = spans.filter(pl.col("service_id").str.contains(rf"^[0-9]{{1,{DIGITS_MAX}}}$"))
    size = 64
    while size < 2 * numeric.height:
        size *= 2
    slots = np.zeros((size, 2), np.uint64)
    numbers = np.array([packed_number(name) for name in numeric["service_id"]], dtype=np.uint64)
    packed_spans = (numeric["row"].cast(pl.UInt64) * 2**16 + numeric["count"].cast(pl.UInt64)).to_numpy()
    fill_slots(numbers, packed_spans, slots)
    return slots
