"""Invariant I3, money: what was rated = charges less discounts = postings = bills and carried rounding; debits = credits.

Each law is computed here from the frames alone and shares no arithmetic with the code that made them. No tolerance.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from schemas.errors import ConservationError, Fault
from schemas.money import amount_text
from settlement.account_settlement import Settlement
from settlement.exact import int128, minor_units
from settlement.journal import COLLECTED_FOR, DISCOUNT, RECEIVABLE, REVENUE, ROUNDING_CARRIED, TAX_PAYABLE
from settlement.line_kinds import LineKind
from settlement.service_charges import no_service_charges

_EXAMPLES_MAX = 20
_USAGE = [LineKind.USAGE.value, LineKind.DISCOUNT.value]
_NIL_EXACT = LineKind.ROUNDING.value


def check_money(
    usage_items: pl.DataFrame,
    settlement: Settlement,
    *,
    service_charges: pl.DataFrame | None = None,
    carried_in: pl.DataFrame | None = None,
) -> None:
    """Check that not one nano-unit was lost or made between rated usage and the journal.

    Args:
        usage_items: the rated usage that was settled.
        service_charges: the charges of services that were settled; None is no rows. The settlement makes lines of kind fee too,
            so of these only items that are service charges are compared.
        settlement: what `settle_accounts` yielded, or the same frames read back.
        carried_in: the residues that the settlement took in; when given, the bills must have taken in exactly these.

    Raises:
        ConservationError: every law that is broken, with up to 20 examples each.
    """
    faults = [
        *_rated_faults(usage_items),
        *_charged_faults(usage_items, settlement.lines),
        *_service_faults(no_service_charges() if service_charges is None else service_charges, settlement.lines),
        *_line_faults(settlement.lines),
        *_bill_faults(settlement.bills, settlement.lines),
        *_entry_faults(settlement.postings),
        *_posted_faults(settlement.bills, settlement.lines, settlement.postings),
        *_carried_faults(settlement, carried_in),
    ]
    if faults:
        raise ConservationError(faults)


def _rated_faults(usage_items: pl.DataFrame) -> Iterator[Fault]:
    expected = pl.col("list_nano") - pl.col("allowance_nano") - pl.col("discount_nano")
    key = pl.concat_str("account_id", "service_id", "item", separator=" ")
    keyed = usage_items.select(key=key, was="net_nano", must_be=expected)
    yield from _differences(keyed, "usage", "net is not list - allowance - discount")


def _charged_faults(usage_items: pl.DataFrame, lines: pl.DataFrame) -> Iterator[Fault]:
    rated = usage_items.group_by(key="account_id").agg(must_be=pl.col("net_nano").sum())
    charged = lines.filter(pl.col("kind").is_in(_USAGE)).group_by(key="account_id").agg(was=pl.col("exact_nano").sum())
    yield from _differences(_side_by_side(charged, rated), "account", "usage and discount lines are not what was rated")


def _service_faults(charges: pl.DataFrame, lines: pl.DataFrame) -> Iterator[Fault]:
    key = pl.concat_str("account_id", "tariff_id", "version", "kind", "item", separator=" ")
    asked = charges.group_by(key=key).agg(must_be=pl.col("exact_nano").sum())
    kinds = [kind.value for kind in LineKind if kind.of_service and kind is not LineKind.FEE]
    own = lines.filter(pl.col("kind").is_in(kinds)).group_by(key=key).agg(was=pl.col("exact_nano").sum())
    fees = lines.filter(pl.col("kind") == LineKind.FEE.value).group_by(key=key).agg(was=pl.col("exact_nano").sum())
    billed = pl.concat([own, fees.join(asked, on="key", how="semi")])
    yield from _differences(_side_by_side(billed, asked), "line", "service charges are not what was charged")


def _line_faults(lines: pl.DataFrame) -> Iterator[Fault]:
    units = lines.join(minor_units(lines["currency"].unique()), on="currency", how="left").with_columns(key=pl.col("line_id"))
    whole = pl.col("amount_nano") // pl.col("minor_nano") * pl.col("minor_nano")
    uneven = units.select("key", was="amount_nano", must_be=whole)
    yield from _differences(uneven, "line", "the amount is not in whole minor units")
    off = (pl.col("amount_nano") - pl.col("exact_nano")).abs() * 2 > pl.col("minor_nano")
    far = units.filter((pl.col("kind") != _NIL_EXACT) & off).select("key", was="amount_nano", must_be="exact_nano")
    yield from _differences(far, "line", "the amount is not its exact value rounded")
    taxed = units.filter(pl.col("kind") == LineKind.TAX.value)
    yield from _differences(taxed.select("key", was="exact_nano", must_be="amount_nano"), "line", "a tax leaves a residue")
    lent = units.filter(pl.col("kind") == _NIL_EXACT)
    yield from _differences(lent.select("key", was="exact_nano", must_be=int128(0)), "line", "carried rounding is billed twice")
    yield from _repeats(lines, "line_id")


def _bill_faults(bills: pl.DataFrame, lines: pl.DataFrame) -> Iterator[Fault]:
    amount, kind = pl.col("amount_nano"), pl.col("kind")
    sums = lines.group_by(key="bill_number").agg(
        total=amount.sum(),
        exact=pl.col("exact_nano").sum(),
        tax=amount.filter(kind == LineKind.TAX.value).sum(),
        rounding=amount.filter(kind == _NIL_EXACT).sum(),
        count=pl.len().cast(pl.Int128),
    )
    stated = {"total": "total_nano", "exact": "exact_nano", "tax": "tax_nano", "rounding": "rounding_nano", "count": "line_count"}
    for name, column in stated.items():
        was = bills.select(key="bill_number", was=pl.col(column).cast(pl.Int128))
        must_be = sums.select("key", must_be=name)
        yield from _differences(_side_by_side(was, must_be), "bill", f"{name} is not that of its lines", money=name != "count")
    parts = pl.col("net_nano") + pl.col("tax_nano") + pl.col("rounding_nano")
    totals = bills.select(key="bill_number", was=parts, must_be="total_nano")
    yield from _differences(totals, "bill", "net + tax + rounding is not total")
    yield from _repeats(bills, "bill_number")


def _entry_faults(postings: pl.DataFrame) -> Iterator[Fault]:
    entries = postings.group_by(key="journal_entry_id").agg(was=pl.col("debit_nano").sum(), must_be=pl.col("credit_nano").sum())
    yield from _differences(entries, "journal entry", "debits are not credits")
    signs = postings.filter((pl.col("debit_nano") < 0) | (pl.col("credit_nano") < 0))
    negative = signs.select(key="posting_id", was=pl.min_horizontal("debit_nano", "credit_nano"), must_be=int128(0))
    yield from _differences(negative, "posting", "a side is negative")
    yield from _repeats(postings, "posting_id")


def _posted_faults(bills: pl.DataFrame, lines: pl.DataFrame, postings: pl.DataFrame) -> Iterator[Fault]:
    """Each ledger account of an entry against the bill and the lines that it was posted from."""
    debit = pl.col("debit_nano") - pl.col("credit_nano")
    account = pl.col("ledger_account")
    posted = postings.group_by(key="journal_entry_id").agg(
        receivable=debit.filter(account == RECEIVABLE).sum(),
        revenue=debit.filter(account.str.starts_with(REVENUE)).sum(),
        third_party=debit.filter(account.str.starts_with(COLLECTED_FOR)).sum(),
        discount=debit.filter(account == DISCOUNT).sum(),
        tax=debit.filter(account == TAX_PAYABLE).sum(),
        rounding=debit.filter(account == ROUNDING_CARRIED).sum(),
    )
    exact, kind = pl.col("exact_nano"), pl.col("kind")
    own = [kind.value for kind in LineKind if kind.of_service or kind is LineKind.USAGE]
    foreign = pl.col("collected_for") != ""
    of_lines = lines.group_by("bill_number").agg(
        revenue=int128(0) - exact.filter(kind.is_in(own) & ~foreign).sum(),
        third_party=int128(0) - exact.filter(foreign).sum(),
        discount=int128(0) - exact.filter(kind == LineKind.DISCOUNT.value).sum(),
        tax=int128(0) - exact.filter(kind == LineKind.TAX.value).sum(),
    )
    billed = bills.join(of_lines, on="bill_number", how="left").select(
        "revenue",
        "third_party",
        "discount",
        "tax",
        key="journal_entry_id",
        receivable="total_nano",
        rounding=pl.col("carried_out_nano") - pl.col("carried_in_nano"),
    )
    for name in ("receivable", "revenue", "third_party", "discount", "tax", "rounding"):
        both = _side_by_side(posted.select("key", was=name), billed.select("key", must_be=name))
        yield from _differences(both, "journal entry", f"{name} is not what was billed")


def _carried_faults(settlement: Settlement, carried_in: pl.DataFrame | None) -> Iterator[Fault]:
    bills = settlement.bills
    law = pl.col("carried_in_nano") + pl.col("exact_nano") - pl.col("total_nano")
    kept = bills.select(key="account_id", was="carried_out_nano", must_be=law)
    yield from _differences(kept, "account", "carried out is not carried in + exact - total")
    units = bills.join(minor_units(bills["currency"].unique()), on="currency", how="left")
    large = units.filter(pl.col("carried_out_nano").abs() >= pl.col("minor_nano"))
    kept_back = large.select(key="account_id", was="carried_out_nano", must_be=pl.col("carried_out_nano") % pl.col("minor_nano"))
    yield from _differences(kept_back, "account", "carries a whole minor unit that was not billed")
    handed = settlement.carried.select(key="account_id", was="carried_nano")
    expected = bills.select(key="account_id", must_be="carried_out_nano")
    if carried_in is None:
        handed = handed.join(expected, on="key", how="semi")
    else:
        unbilled = carried_in.join(bills, on="account_id", how="anti").select(key="account_id", must_be="carried_nano")
        expected = pl.concat([expected, unbilled])
        taken = bills.select(key="account_id", was="carried_in_nano")
        given = carried_in.join(bills, on="account_id", how="semi").select(key="account_id", must_be="carried_nano")
        yield from _differences(_side_by_side(taken, given), "account", "the bill did not take in what was carried")
    yield from _differences(_side_by_side(handed, expected), "account", "the residue handed on is not the bill's")


def _side_by_side(was: pl.DataFrame, must_be: pl.DataFrame) -> pl.DataFrame:
    """[key, was, must_be] of every key on either side; a side without the key has nothing."""
    return was.join(must_be, on="key", how="full", coalesce=True).with_columns(pl.col("was", "must_be").fill_null(int128(0)))


def _differences(frame: pl.DataFrame, where: str, what: str, *, money: bool = True) -> Iterator[Fault]:
    """Faults of the rows of [key, was, must_be] whose sides differ."""
    text = amount_text if money else str
    for key, was, must_be in frame.filter(pl.col("was") != pl.col("must_be")).sort("key").head(_EXAMPLES_MAX).iter_rows():
        yield Fault(f"{where} {key}", what, text(was), text(must_be), "do not publish; report the inputs", code="money")


def _repeats(frame: pl.DataFrame, column: str) -> Iterator[Fault]:
    doubled = frame.group_by(column).len().filter(pl.col("len") > 1).sort(column).head(_EXAMPLES_MAX)
    for key, count in doubled.iter_rows():
        yield Fault(f"{column} {key}", "the id is repeated", f"{count} rows", "one row", code="repeated_id")
