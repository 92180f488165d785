"""Invariant I3: a true settlement passes, and every planted mutant is caught by the law that it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from schemas.errors import ConservationError
from settlement.account_settlement import Settlement
from settlement.exact import int128
from settlement.money_check import check_money
from tests.unit.settlement.settlement_cases import golden_case

USAGE, CARRIED, TRUE = golden_case("bill_two_versions_and_allowance")
CENT = 10_000_000
Mutant = Callable[[Settlement], Settlement]


def changed(frame: pl.DataFrame, where: pl.Expr, **columns: pl.Expr) -> pl.DataFrame:
    """The frame with columns changed in the rows where `where` holds; at least one must."""
    assert frame.filter(where).height
    return frame.with_columns(pl.when(where).then(to).otherwise(name).alias(name) for name, to in columns.items())


def first(column: str, value: str) -> pl.Expr:
    """The first row of a value."""
    matches = pl.col(column) == value
    return matches & (matches.cum_sum() == 1)


def lines(where: pl.Expr, **columns: pl.Expr) -> Mutant:
    return lambda true: replace(true, lines=changed(true.lines, where, **columns))


def bills(**columns: pl.Expr) -> Mutant:
    return lambda true: replace(true, bills=changed(true.bills, pl.lit(True), **columns))


def postings(where: pl.Expr, **columns: pl.Expr) -> Mutant:
    return lambda true: replace(true, postings=changed(true.postings, where, **columns))


def without(frame: str, where: pl.Expr) -> Mutant:
    def dropped(true: Settlement) -> Settlement:
        whole = getattr(true, frame)
        assert whole.filter(where).height
        return replace(true, **{frame: whole.filter(~where)})

    return dropped


def twice(frame: str) -> Mutant:
    return lambda true: replace(true, **{frame: pl.concat([getattr(true, frame), getattr(true, frame).head(1)])})


def shifted(true: Settlement) -> Settlement:
    """Revenue moved from energy to the discount account: the entry still balances."""
    return replace(
        true, postings=changed(true.postings, first("ledger_account", "discount"), ledger_account=pl.lit("revenue:fee"))
    )


nano = {
    name: pl.col(f"{name}_nano") for name in ("amount", "exact", "total", "debit", "credit", "carried_out", "carried_in", "tax")
}

MUTANTS: list[tuple[str, Mutant, str]] = [
    ("one-sided posting", without("postings", first("ledger_account", "tax_payable")), "debits are not credits"),
    ("residue dropped from the journal", without("postings", pl.col("ledger_account") == "rounding_carried"), "rounding is not"),
    ("residue dropped from the bill", bills(carried_out_nano=int128(0)), "carried in + exact - total"),
    ("residue not handed on", lambda true: replace(true, carried=true.carried.clear()), "handed on is not the bill's"),
    ("residue invented", bills(carried_in_nano=nano["carried_in"] + 1, carried_out_nano=nano["carried_out"] + 1),
     "did not take in"),
    ("a whole cent carried", bills(carried_out_nano=nano["carried_out"] + CENT), "whole minor unit that was not billed"),
    ("a usage line dropped", without("lines", first("kind", "usage")), "not what was rated"),
    ("a usage line inflated", lines(first("kind", "usage"), exact_nano=nano["exact"] + 1), "not what was rated"),
    ("a discount forgotten", without("lines", pl.col("kind") == "discount"), "not what was rated"),
    ("a line rounded up", lines(first("kind", "fee"), amount_nano=nano["amount"] + CENT), "not its exact value rounded"),
    ("a line not rounded", lines(first("kind", "fee"), amount_nano=nano["exact"]), "whole minor units"),
    ("a tax with residue", lines(first("kind", "tax"), exact_nano=nano["exact"] - 1), "a tax leaves a residue"),
    ("rounding billed twice", lines(pl.col("kind") == "rounding", exact_nano=nano["amount"]), "carried rounding is billed twice"),
    ("a line twice", twice("lines"), "the id is repeated"),
    ("a bill twice", twice("bills"), "the id is repeated"),
    ("a posting twice", twice("postings"), "the id is repeated"),
    ("a total off by a cent", bills(total_nano=nano["total"] + CENT), "total is not that of its lines"),
    ("a tax total off", bills(tax_nano=nano["tax"] + CENT), "net + tax + rounding is not total"),
    ("a bill dropped", lambda true: replace(true, bills=true.bills.clear()), "total is not that of its lines"),
    ("lines dropped, bills and all", lambda true: replace(true, lines=true.lines.clear(), bills=true.bills.clear()),
     "not what was rated"),
    ("journal dropped", lambda true: replace(true, postings=true.postings.clear()), "receivable is not what was billed"),
    ("a debit negative", postings(first("ledger_account", "receivable"), debit_nano=int128(0) - nano["debit"]),
     "a side is negative"),
    ("posted to another account", shifted, "revenue is not what was billed"),
]  # fmt: skip


def test_true_settlement_passes() -> None:
    check_money(USAGE, TRUE, carried_in=CARRIED)
    check_money(USAGE, TRUE)


@pytest.mark.parametrize(("mutant", "law"), [pytest.param(plant, law, id=name) for name, plant, law in MUTANTS])
def test_planted_mutant_is_caught(mutant: Mutant, law: str) -> None:
    planted = mutant(TRUE)
    with pytest.raises(ConservationError) as caught:
        check_money(USAGE, planted, carried_in=CARRIED)
    assert any(law in str(fault) for fault in caught.value.faults), str(caught.value)


def test_usage_that_is_not_list_less_allowance_less_discount_is_caught() -> None:
    usage = changed(USAGE, first("item", "Internet"), list_nano=pl.col("list_nano") + 1)
    with pytest.raises(ConservationError, match="net is not list - allowance - discount, was 2.46913578, must be 2.469135781"):
        check_money(usage, TRUE)


def test_all_broken_laws_are_named_at_once() -> None:
    planted = replace(TRUE, postings=TRUE.postings.clear(), lines=TRUE.lines.clear())
    with pytest.raises(ConservationError) as caught:
        check_money(USAGE, planted)
    assert len({fault.what for fault in caught.value.faults}) >= 5
