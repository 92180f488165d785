"""The frames that settlement reads: their columns, and one check that names everything wrong with them at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import polars as pl

from schemas.errors import ConfigurationError, Fault
from schemas.quantities import UsageKind
from settlement.exact import INT128, MAGNITUDE_LIMIT, PPM, ROWS_LIMIT
from settlement.line_kinds import LineKind

Columns = Mapping[str, pl.DataType | type[pl.DataType]]

# Units: *_nano = 1e-9 of the currency; quantities in the base unit of `unit`; *_at = microseconds UTC, half-open.
USAGE_ITEMS: Columns = {
    "account_id": pl.String,
    "service_id": pl.String,
    "tariff_id": pl.String,
    "version": pl.String,
    "item": pl.String,
    "kind": pl.String,
    "unit": pl.String,
    "record_count": pl.Int64,
    "quantity": INT128,
    "charged_quantity": INT128,
    "list_nano": INT128,
    "allowance_nano": INT128,
    "discount_nano": INT128,
    "net_nano": INT128,
    "price_text": pl.String,
}
CONTRACTS: Columns = {
    "service_id": pl.String,
    "account_id": pl.String,
    "tariff_id": pl.String,
    "effective_from_at": pl.Int64,
    "effective_to_at": pl.Int64,
}
ACCOUNTS: Columns = {
    "account_id": pl.String,
    "bill_to_account_id": pl.String,
    "group_id": pl.String,
    "name": pl.String,
    "currency": pl.String,
}
FEES: Columns = {
    "tariff_id": pl.String,
    "version_from_at": pl.Int64,
    "version_to_at": pl.Int64,
    "name": pl.String,
    "amount_nano": pl.Int64,
    "prorate": pl.Boolean,
}
TAXES: Columns = {
    "tariff_id": pl.String,
    "version_from_at": pl.Int64,
    "version_to_at": pl.Int64,
    "name": pl.String,
    "rate_ppm": pl.Int64,
    "of_items": pl.List(pl.String),  # the items that it applies to; empty is all
}
# Charges over the whole period; `kind` is a line kind of service, `collected_for` the third party that a surcharge is for.
SERVICE_CHARGES: Columns = {
    "account_id": pl.String,
    "service_id": pl.String,
    "tariff_id": pl.String,
    "version": pl.String,
    "kind": pl.String,
    "item": pl.String,
    "unit": pl.String,
    "quantity": INT128,
    "price_text": pl.String,
    "exact_nano": INT128,
    "collected_for": pl.String,
    "untaxed": pl.Boolean,
    "explanation": pl.String,
}
# What a service's tariff carries on: peaks, credits, running totals of ladders; `period` counts months since year 0.
SERVICE_STATE: Columns = {
    "account_id": pl.String,
    "service_id": pl.String,
    "tariff_id": pl.String,
    "topic": pl.String,
    "name": pl.String,
    "period": pl.Int64,
    "value": INT128,
}
CARRIED: Columns = {"account_id": pl.String, "carried_nano": INT128}

_EXAMPLES_MAX = 20


def check_inputs(
    usage_items: pl.DataFrame,
    contracts: pl.DataFrame,
    accounts: pl.DataFrame,
    fees: pl.DataFrame,
    taxes: pl.DataFrame,
    carried: pl.DataFrame,
    service_charges: pl.DataFrame,
) -> None:
    """Refuse frames that cannot be settled, naming every fault.

    Raises:
        ConfigurationError: a missing column, wrong type, null, repeated key, unknown account, payer of another currency, tariff
            versions or contracts that overlap, an amount beyond the proven range.
    """
    named: dict[str, tuple[pl.DataFrame, Columns]] = {
        "usage_items": (usage_items, USAGE_ITEMS),
        "contracts": (contracts, CONTRACTS),
        "accounts": (accounts, ACCOUNTS),
        "fees": (fees, {**FEES, "version": pl.String} if "version" in fees.columns else FEES),
        "taxes": (taxes, TAXES),
        "carried": (carried, CARRIED),
        "service_charges": (service_charges, SERVICE_CHARGES),
    }
    faults = [fault for name, (frame, columns) in named.items() for fault in _shape_faults(name, frame, columns)]
    if faults:  # the checks below need the columns
        raise ConfigurationError(faults)
    faults += _repeated(accounts, ["account_id"], "accounts")
    faults += _repeated(carried, ["account_id"], "carried")
    faults += _repeated(fees, ["tariff_id", "version_from_at", "name"], "fees")
    if "version" in fees.columns:
        faults += _repeated(fees, ["tariff_id", "version", "name"], "fees")
    faults += _repeated(taxes, ["tariff_id", "version_from_at", "name"], "taxes")
    faults += _version_faults(fees, "fees") + _version_faults(taxes, "taxes") + _contract_faults(contracts)
    money = {"usage_items": usage_items, "carried": carried, "service_charges": service_charges}
    for name, frame in {**money, "contracts": contracts}.items():
        faults += _unknown_accounts(frame, "account_id", name, accounts)
    faults += _unknown_accounts(accounts, "bill_to_account_id", "accounts", accounts)
    faults += _payer_faults(accounts) + _range_faults(money, taxes) + _kind_faults(usage_items, service_charges)
    if faults:
        raise ConfigurationError(list(dict.fromkeys(faults)))


def _shape_faults(name: str, frame: pl.DataFrame, columns: Columns) -> list[Fault]:
    faults = []
    if frame.height >= ROWS_LIMIT:
        faults.append(Fault(name, "too many rows for exact sums", was=str(frame.height), must_be=f"fewer than {ROWS_LIMIT}"))
    for column, dtype in columns.items():
        if column not in frame.columns:
            close = difflib.get_close_matches(column, frame.columns, n=1)
            hint = f"did you mean {close[0]!r}?" if close else ""
            faults.append(Fault(f"{name}.{column}", "the column is missing", next_step=hint, code="missing_column"))
        elif frame.schema[column] != dtype:
            was, must_be = str(frame.schema[column]), str(dtype)
            faults.append(Fault(f"{name}.{column}", "the column has another type", was=was, must_be=must_be, code="column_type"))
        elif frame[column].null_count():
            was = f"null in {frame[column].null_count()} rows"
            faults.append(Fault(f"{name}.{column}", "values are missing", was=was, must_be="a value in every row", code="null"))
    return faults


def _repeated(frame: pl.DataFrame, key: Sequence[str], name: str) -> list[Fault]:
    doubled = frame.group_by(key).len().filter(pl.col("len") > 1).sort(key).head(_EXAMPLES_MAX)
    return [
        Fault(f"{name} {' '.join(map(str, row[:-1]))}", "the key is repeated", f"{row[-1]} rows", "one row", code="repeated_key")
        for row in doubled.iter_rows()
    ]


def _version_faults(frame: pl.DataFrame, name: str) -> list[Fault]:
    """Versions of one tariff that overlap would charge a day twice."""
    versions = frame.select("tariff_id", "version_from_at", "version_to_at").unique().sort("tariff_id", "version_from_at")
    ends = versions.with_columns(previous_to_at=pl.col("version_to_at").shift(1).over("tariff_id"))
    wrong = ends.filter(
        (pl.col("version_to_at") <= pl.col("version_from_at"))
        | (pl.col("previous_to_at") > pl.col("version_from_at")).fill_null(False)
    )
    return [
        Fault(
            f"{name} of tariff {tariff_id!r}",
            "versions are empty or overlap",
            was=f"[{from_at}, {to_at})",
            must_be="versions that follow each other",
            code="version_overlap",
        )
        for tariff_id, from_at, to_at, _ in wrong.head(_EXAMPLES_MAX).iter_rows()
    ]


def _contract_faults(contracts: pl.DataFrame) -> list[Fault]:
    """Rows of one service, account and tariff that overlap would charge a day twice."""
    key = ["service_id", "account_id", "tariff_id"]
    in_force = contracts.filter(pl.col("effective_from_at") < pl.col("effective_to_at"))
    several = in_force.filter(pl.len().over(key) > 1).sort(*key, "effective_from_at", "effective_to_at")
    ends = several.with_columns(previous_to_at=pl.col("effective_to_at").shift(1).over(key))
    wrong = ends.filter((pl.col("previous_to_at") > pl.col("effective_from_at")).fill_null(False)).head(_EXAMPLES_MAX)
    return [
        Fault(
            f"contract of service {row['service_id']!r} with account {row['account_id']!r} on tariff {row['tariff_id']!r}",
            "it overlaps an earlier one",
            was=f"from {row['effective_from_at']}",
            must_be=f"from {row['previous_to_at']} or later",
            next_step="end one before the other begins",
            code="contract_overlap",
        )
        for row in wrong.iter_rows(named=True)
    ]


def _unknown_accounts(frame: pl.DataFrame, column: str, name: str, accounts: pl.DataFrame) -> list[Fault]:
    unknown = frame.select(pl.col(column).unique()).join(accounts, left_on=column, right_on="account_id", how="anti")
    shown = unknown.sort(column)[column].head(_EXAMPLES_MAX).to_list()
    known = accounts["account_id"].head(10_000).to_list() if shown else []  # enough for a hint, and bounded
    faults = []
    for account_id in shown:
        close = difflib.get_close_matches(account_id, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "add the account to the account file"
        faults.append(Fault(f"{name}.{column}", "no such account", was=repr(account_id), next_step=hint, code="unknown_account"))
    return faults


def _payer_faults(accounts: pl.DataFrame) -> list[Fault]:
    """One bill has one currency, and a payer pays its own bill."""
    payers = accounts.select(
        pl.col("account_id").alias("bill_to_account_id"),
        pl.col("currency").alias("payer_currency"),
        pl.col("bill_to_account_id").alias("payer_of_payer"),
    )
    joined = accounts.join(payers, on="bill_to_account_id", how="inner")
    other = joined.filter(pl.col("currency") != pl.col("payer_currency")).sort("account_id").head(_EXAMPLES_MAX)
    chain = joined.filter(pl.col("payer_of_payer") != pl.col("bill_to_account_id")).sort("account_id").head(_EXAMPLES_MAX)
    faults = [
        Fault(
            f"account {row['account_id']!r}",
            f"its payer {row['bill_to_account_id']!r} has another currency",
            was=row["payer_currency"],
            must_be=row["currency"],
            code="payer_currency",
        )
        for row in other.iter_rows(named=True)
    ]
    faults += [
        Fault(
            f"account {row['account_id']!r}",
            f"its payer {row['bill_to_account_id']!r} has a payer of its own",
            was=repr(row["payer_of_payer"]),
            must_be="an account that pays its own bill",
            next_step=f"bill {row['account_id']!r} to {row['payer_of_payer']!r} directly",
            code="payer_chain",
        )
        for row in chain.iter_rows(named=True)
    ]
    return faults


def _range_faults(money: Mapping[str, pl.DataFrame], taxes: pl.DataFrame) -> list[Fault]:
    faults = []
    for name, frame in money.items():
        for column, dtype in frame.schema.items():
            if dtype != INT128:
                continue
            # Int128's least value has no magnitude, hence two comparisons and no abs().
            beyond = frame.filter((pl.col(column) >= MAGNITUDE_LIMIT) | (pl.col(column) <= -MAGNITUDE_LIMIT))
            if beyond.height:
                where, was = f"{name}.{column} of account {beyond['account_id'][0]!r}", str(beyond[column][0])
                must_be = f"a magnitude below {MAGNITUDE_LIMIT}"
                faults.append(Fault(where, "beyond the range of exact sums", was, must_be, code="out_of_range"))
    for row in taxes.filter(~pl.col("rate_ppm").is_between(0, PPM)).head(_EXAMPLES_MAX).iter_rows(named=True):
        where = f"tax {row['name']!r} of tariff {row['tariff_id']!r}"
        faults.append(Fault(where, "no such rate", f"{row['rate_ppm']} ppm", f"0 to {PPM} ppm", code="tax_rate"))
    return faults


def _kind_faults(usage_items: pl.DataFrame, service_charges: pl.DataFrame) -> list[Fault]:
    faults = []
    usage, charges = [kind.label for kind in UsageKind], [kind.value for kind in LineKind if kind.of_service]
    for name, what, frame, kinds in (
        ("usage_items", "usage", usage_items, usage),
        ("service_charges", "service charge", service_charges, charges),
    ):
        for kind in frame.filter(~pl.col("kind").is_in(kinds))["kind"].unique().sort().head(_EXAMPLES_MAX):
            faults.append(Fault(f"{name}.kind", f"no such kind of {what}", repr(kind), " or ".join(kinds), code="unknown_kind"))
    return faults
