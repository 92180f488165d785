"""Settles accounts: rated usage, contracts, fees and taxes of one period in; bill lines, bills and journal postings out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.hashing import tenant_seed
from schemas.periods import Period
from settlement.bill_lines import numbered_lines, with_amounts, with_payer
from settlement.bills import bills_of
from settlement.exact import minor_units
from settlement.fees import fee_lines
from settlement.frames import CARRIED, check_inputs
from settlement.journal import postings_of
from settlement.rounding import residues, rounding_lines
from settlement.service_charges import no_service_charges, service_charge_lines
from settlement.taxes import tax_lines
from settlement.usage_lines import usage_and_discount_lines


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one period's settlement yields; every frame is in canonical order and a pure function of the inputs."""

    lines: pl.DataFrame  # settlement.bill_lines.LINES, by payer and line_no
    bills: pl.DataFrame  # settlement.bills.BILLS, by payer
    postings: pl.DataFrame  # settlement.journal.POSTINGS, by payer and posting_no
    carried: pl.DataFrame  # settlement.frames.CARRIED, by account: the rounding residue that the next period takes in


def settle_accounts(
    usage_items: pl.DataFrame,
    contracts: pl.DataFrame,
    accounts: pl.DataFrame,
    fees: pl.DataFrame,
    taxes: pl.DataFrame,
    carried: pl.DataFrame,
    service_charges: pl.DataFrame | None = None,
    *,
    period: Period,
    issue_on: date,
    day_starts: npt.NDArray[np.int64],
    tenant: str = "",
) -> Settlement:
    """Bill every payer that has usage or a fee in the period.

    Args:
        usage_items, contracts, accounts, fees, taxes, carried: frames with the columns of `settlement.frames`, in any order;
            None of `service_charges` is no rows;
            `fees` may have a `version` label (String) as usage items do, else a version is named by its first instant.
        period: the billing period; its local days are the divisor of proration.
        issue_on: the date on the bills, an input so that no clock is read.
        day_starts: UTC microseconds of each local midnight of the period and of its end (days + 1, ascending).
        tenant: the first part of every id.

    Returns:
        the settlement; accounts with neither usage nor fee get no bill, and what a payer without a bill carries stays carried.

    Raises:
        ConfigurationError: frames that cannot be settled, every fault at once (`settlement.frames.check_inputs`).
    """
    assert len(day_starts) == period.days + 1, "one midnight per local day and the end"
    assert day_starts[0] == period.start_at and day_starts[-1] == period.end_at and bool(np.all(np.diff(day_starts) > 0))
    charges = no_service_charges() if service_charges is None else service_charges
    check_inputs(usage_items, contracts, accounts, fees, taxes, carried, charges)
    units = minor_units(accounts["currency"].unique())
    seed = tenant_seed(tenant)

    parts = pl.concat(
        [
            usage_and_discount_lines(usage_items),
            fee_lines(contracts, accounts, fees, period=period, day_starts=day_starts),
            service_charge_lines(charges),
        ]
    )
    net = with_payer(parts, accounts, units)
    tax = tax_lines(net, taxes, period=period).select(net.columns)
    rounded = with_amounts(pl.concat([net, tax]))
    left = residues(rounded, carried)
    lines = numbered_lines(pl.concat([rounded, rounding_lines(left).select(rounded.columns)]), period, seed=seed)
    bills = bills_of(lines, left, accounts, period, issue_on, seed=seed)
    return Settlement(lines, bills, postings_of(bills, lines, seed=seed), _carried_out(bills, carried))


def _carried_out(bills: pl.DataFrame, carried: pl.DataFrame) -> pl.DataFrame:
    """The residue of each payer billed now, and unchanged that of the others."""
    billed = bills.select("account_id", carried_nano=pl.col("carried_out_nano"))
    kept = carried.select(list(CARRIED)).join(billed, on="account_id", how="anti")
    return pl.concat([billed, kept]).sort("account_id")
