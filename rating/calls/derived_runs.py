"""Derived charging: one usage record, several runs, each with its own tariff, outcome and rounding (reference: rating §8).

A run's charge has an id of its own, hash(usage record, run), so that each run is booked once, whatever happens to the others. No
run sees another's charge; a run that cannot be priced goes to suspense alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.calls.first_pass import RatedCalls, rate_calls
from rating.compiled.book import BookRun, TariffBook
from rating.compiled.columns import kernel_column
from rating.compiled.prefixes import node_of_number
from rating.language.read_runs import RETAIL
from schemas.errors import Fault, MeterlineError
from schemas.hashing import HI_MULTIPLIER, HI_SEED, LO_MULTIPLIER, LO_SEED, absorb, text_words
from schemas.kernels import kernel
from schemas.reasons import Reason

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
_OTHER_KINDS = 255


@dataclass(frozen=True, slots=True)
class DerivedCharges:
    """One row for each record and run, the retail run of a record first, then its derived runs by name."""

    record: I64  # the row of the usage
    run_index: I32  # into `book.runs`, -1 for the retail run
    tariff_index: I32
    charge_hi: U64  # the charge's id
    charge_lo: U64
    rated: RatedCalls

    def frame(self, book: TariffBook) -> pl.DataFrame:
        """[record, run, side, tariff_id, currency, charge_id_hi, charge_id_lo, charge_nano, charged_quantity, rule_index,
        reason]."""
        names = [RETAIL, *(of.run.name for of in book.runs)]
        sides = ["revenue", *(of.run.side for of in book.runs)]
        tariffs = ["", *book.tariff_ids]
        currencies = ["", *(tariff.currency for tariff in book.tariffs)]
        reasons = {int(reason): reason.label for reason in Reason}
        run, tariff = pl.Series(self.run_index + 1), pl.Series(self.tariff_index + 1)
        return pl.DataFrame(
            {
                "record": self.record,
                "run": pl.Series(names, dtype=pl.String).gather(run),
                "side": pl.Series(sides, dtype=pl.String).gather(run),
                "tariff_id": pl.Series(tariffs, dtype=pl.String).gather(tariff),
                "currency": pl.Series(currencies, dtype=pl.String).gather(tariff),
                "charge_id_hi": self.charge_hi,
                "charge_id_lo": self.charge_lo,
                "charge_nano": self.rated.charge_nano,
                "charged_quantity": self.rated.charged_quantity,
                "rule_index": self.rated.rule_index,
                "reason": pl.Series(self.rated.status).replace_strict(reasons, return_dtype=pl.String),
            }
        )


def rate_runs(
    book: TariffBook,
    tariff_index: npt.ArrayLike,
    kind: npt.ArrayLike,
    called_number: npt.ArrayLike,
    start_at: npt.ArrayLike,
    quantity: npt.ArrayLike,
    *,
    record_hi: npt.ArrayLike,
    record_lo: npt.ArrayLike,
    tariff_of_subject: dict[str, I32] | None = None,
) -> DerivedCharges:
    """Price each record by its own tariff and by every run that the version in force at its start derives from it.

    Args:
        tariff_index, kind, called_number, start_at, quantity: as in `rate_calls`.
        record_hi, record_lo: u8[n], the record ids.
        tariff_of_subject: for runs that name a subject, i4[n] each: that subject's tariff for each record (-1 none).
    Raises:
        MeterlineError: as `rate_calls`; a run names a subject that was not resolved.
    """
    tariffs, kinds = kernel_column(tariff_index, np.int32), kernel_column(kind, np.uint8)
    numbers, starts = kernel_column(called_number, np.uint64), kernel_column(start_at, np.int64)
    used = kernel_column(quantity, np.int64)
    table = _run_table(book)
    rows = len(tariffs)
    sizes = np.empty(rows, dtype=np.int64)
    nothing, none = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    count_or_enter_runs(*table, book.prefixes.top, book.prefixes.sub, tariffs, kinds, numbers, starts, sizes, nothing, none)
    first = np.cumsum(sizes) - sizes
    total = int(sizes.sum())
    record, run = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int32)
    count_or_enter_runs(*table, book.prefixes.top, book.prefixes.sub, tariffs, kinds, numbers, starts, first, record, run)
    target = _targets(book, record, run, tariffs, tariff_of_subject)
    words, word_first = _name_words(book)
    hi, lo = np.empty(total, dtype=np.uint64), np.empty(total, dtype=np.uint64)
    ids = (kernel_column(record_hi, np.uint64), kernel_column(record_lo, np.uint64))
    charge_ids(*ids, record, run, words, word_first, hi, lo)
    rated = rate_calls(book, target, kinds[record], numbers[record], starts[record], used[record])
    return DerivedCharges(record, run, target, hi, lo, rated)


def _run_table(book: TariffBook) -> tuple[npt.NDArray[np.generic], ...]:
    """(first run of each tariff, [runs, 3] from, to and kinds as bits, [runs, nodes])."""
    of_tariff = [book.tariff_index(run.tariff_id) for run in book.runs]
    first = np.searchsorted(np.array(of_tariff, dtype=np.int64), np.arange(len(book.tariff_ids) + 1)).astype(np.int64)
    rows = [(run.effective_from_at, run.effective_to_at, _kind_bits(run)) for run in book.runs]
    return first, np.array(rows, dtype=np.int64).reshape(-1, 3), book.run_destinations


def _kind_bits(of: BookRun) -> int:
    return _OTHER_KINDS if of.run.kinds is None else sum(1 << int(kind) for kind in of.run.kinds)


@kernel()
def count_or_enter_runs(  # type: ignore[no-untyped-def]
    run_first, runs, destinations, top, sub, tariff_index, kind, called_number, start_at, sizes, record, run_index,
):  # fmt: skip
    """Without room (`record` empty) write how many runs each record has into `sizes`; with room, enter them from `sizes` on."""
    counts = len(record) == 0
    for i in range(len(tariff_index)):
        entered = 1
        at = sizes[i]
        if not counts:
            record[at] = i
            run_index[at] = -1
        tariff = tariff_index[i]
        if tariff >= 0 and run_first[tariff] < run_first[tariff + 1]:
            node = node_of_number(called_number[i], top, sub)
            for run in range(run_first[tariff], run_first[tariff + 1]):
                in_force = runs[run, 0] <= start_at[i] and start_at[i] < runs[run, 1]
                if not (in_force and (runs[run, 2] >> kind[i]) & 1 and destinations[run, node]):
                    continue
                if not counts:
                    record[at + entered] = i
                    run_index[at + entered] = run
                entered += 1
        if counts:
            sizes[i] = entered


def _targets(
    book: TariffBook, record: I64, run: I32, tariffs: I32, tariff_of_subject: dict[str, I32] | None
) -> npt.NDArray[np.int32]:
    """The tariff of each run: the record's, the one named, or that of the subject named."""
    target = tariffs[record]
    for index, of in enumerate(book.runs):
        own = np.flatnonzero(run == index)
        if of.run.tariff_id:
            target[own] = book.tariff_index(of.run.tariff_id)
        elif len(own):
            if tariff_of_subject is None or of.run.subject not in tariff_of_subject:
                where = f"run {of.run.name!r} of {of.tariff_id}"
                raise MeterlineError(Fault(where, "its subject is not resolved", of.run.subject, "given with the subjects"))
            target[own] = tariff_of_subject[of.run.subject][record[own]]
    return target


def _name_words(book: TariffBook) -> tuple[U64, I64]:
    """The words of the names of all runs behind one another, retail first, and where each starts."""
    parts = [text_words(name.encode()) for name in (RETAIL, *(of.run.name for of in book.runs))]
    return np.array([word for part in parts for word in part], dtype=np.uint64), np.cumsum([0, *map(len, parts)])


@kernel()
def charge_ids(record_hi, record_lo, record, run_index, words, word_first, charge_hi, charge_lo):  # type: ignore[no-untyped-def]
    """The id of each charge: `schemas.hashing.record_id_of([record hi, record lo, the words of the run's name])`."""
    for entry in range(len(record)):
        i = record[entry]
        hi = absorb(HI_SEED, np.uint64(0), HI_MULTIPLIER)
        lo = absorb(LO_SEED, np.uint64(0), LO_MULTIPLIER)
        hi = absorb(absorb(hi, record_hi[i], HI_MULTIPLIER), record_lo[i], HI_MULTIPLIER)
        lo = absorb(absorb(lo, record_hi[i], LO_MULTIPLIER), record_lo[i], LO_MULTIPLIER)
        run = run_index[entry] + 1
        for word in range(word_first[run], word_first[run + 1]):
            hi = absorb(hi, words[word], HI_MULTIPLIER)
            lo = absorb(lo, words[word], LO_MULTIPLIER)
        charge_hi[entry] = hi
        charge_lo[entry] = lo


def margins(charges: pl.DataFrame) -> pl.DataFrame:
    """Revenue runs less cost runs, over the runs that were priced; `failed` counts those that were not.

    Args:
        charges: the frame of `DerivedCharges`.
    Returns:
        [record, currency, revenue_nano, cost_nano, margin_nano, failed], one row for each record and currency.
    """
    amount = pl.col("charge_nano").cast(pl.Int128)
    priced = pl.col("reason").is_in([Reason.OK.label, Reason.ZERO_USAGE.label])
    return (
        charges.group_by("record", "currency", maintain_order=True)
        .agg(
            revenue_nano=pl.when(priced & (pl.col("side") == "revenue")).then(amount).otherwise(pl.lit(0, pl.Int128)).sum(),
            cost_nano=pl.when(priced & (pl.col("side") == "cost")).then(amount).otherwise(pl.lit(0, pl.Int128)).sum(),
            failed=(~priced).sum(),
        )
        .with_columns(margin_nano=pl.col("revenue_nano") - pl.col("cost_nano"))
        .select("record", "currency", "revenue_nano", "cost_nano", "margin_nano", "failed")
    )
