"""Charging without any set-up: a tariff, an account's balances, usage, who pays what. For `tariff charge`, trials and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import numpy as np

from rating.balances.account_file import AccountFile
from rating.balances.balance_table import BalanceState, BalanceTable, compile_balances
from rating.balances.balance_values import KIND_NAMES, value_text
from rating.balances.charge import ChargedUsage, charge_usage
from rating.balances.layout import BALANCE, COUNT, FROM, MONEY, MONEY_BALANCE, MONEY_NANO, RULE_INDEX, TIER, TO, UNITS
from rating.balances.refunds import refund, rerate
from rating.balances.reservations import Reservations, RunningCall, update
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.rates_text import quantity_text
from rating.language.tariff import Tariff
from rating.language.yaml_places import close_match
from rating.usage_rows import RefundRow, UsageRow
from schemas.errors import ConfigurationError, Fault
from schemas.money import amount_text
from schemas.reasons import Reason
from schemas.zones import instant_us, moment_of, zone_of

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccountCharges:
    """Rows for people: what became of each record (in the order given), what is left, and what a refund could not give back."""

    records: list[Row]
    balances: list[Row]
    first_charges: list[str] = field(default_factory=list)  # re-rating: what the records cost when they arrived
    first_balances: list[Row] = field(default_factory=list)  # and what they left
    unallocated: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trial:
    """A tariff and an account's balances compiled for some years."""

    tariff: Tariff
    book: TariffBook
    table: BalanceTable
    account: AccountFile


def prepare_trial(tariff: Tariff, bundles: Sequence[Tariff], account: AccountFile, starts: Sequence[int]) -> Trial:
    """Compile for usage that starts at some instants.

    Raises:
        ConfigurationError: two tariffs of one id, names that nothing defines: all at once.
    """
    ids = [tariff.tariff_id, *(one.tariff_id for one in bundles)]
    unknown = [(where, name) for where, name in account.tariffs_named if name not in ids]
    if unknown:
        raise ConfigurationError([
            Fault(where, "no such tariff", repr(name), "the id of one whose file is listed under tariffs", close_match(name, ids))
            for where, name in unknown
        ])  # fmt: skip
    years = [moment_of(at).year for at in starts] or [2026]
    span = (instant_us(datetime(min(years), 1, 1, tzinfo=UTC)), instant_us(datetime(max(years) + 1, 1, 1, tzinfo=UTC)))
    book = compile_book([tariff, *bundles], span=span)
    accounts = dict.fromkeys(account.accounts, "accounts of the file")
    table = compile_balances(book, account.balances, accounts=accounts, shares=account.shares, home=tariff)
    return Trial(tariff, book, table, account)


def charge_rows(trial: Trial, rows: Sequence[UsageRow], task: str) -> AccountCharges:
    """Book, take or grant the records in order of (start_at, record_id); they are shown in the order given."""
    order = sorted(range(len(rows)), key=lambda row: (rows[row].start_at, rows[row].record_id))
    charged = charge_usage(trial.book, trial.table, **_columns(trial, [rows[row] for row in order]), task=task)
    return AccountCharges(_record_rows(trial, rows, charged, order), balance_rows(trial.table, charged.state))


def rerate_rows(trial: Trial, rows: Sequence[UsageRow]) -> AccountCharges:
    """Book the records as they arrived, then refund all and debit again in order of (start_at, record_id)."""
    columns = _columns(trial, rows)
    first = charge_usage(trial.book, trial.table, **columns, task="book")
    ids = np.array([row.record_id for row in rows], dtype=np.str_)
    again, order = rerate(trial.book, trial.table, first.state, first.postings, columns, record_id=ids)
    shown = _record_rows(trial, rows, again, order.tolist())
    costs = [amount_text(int(nano)) for nano in first.charge_nano.tolist()]
    return AccountCharges(shown, balance_rows(trial.table, again.state), costs, balance_rows(trial.table, first.state))


def run_steps(trial: Trial, rows: Sequence[UsageRow]) -> AccountCharges:
    """Steps of reservations in the order given; the balances after each step are in its row."""
    now, shown = Reservations(trial.table.start()), []
    for row in rows:
        of = RunningCall(
            trial.table.accounts.index(row.account), trial.book.tariff_index(trial.tariff.tariff_id), int(row.kind),
            row.called_number, row.start_at, trial.table.categories.get(row.category, -1),
        )  # fmt: skip
        now, answer = update(
            trial.book,
            trial.table,
            now,
            row.reservation,
            row.sequence,
            of,
            used=row.quantity,
            requested=row.requested,
            close=row.close,
        )
        shown.append(
            {
                "reservation": row.reservation,
                "sequence": row.sequence,
                "outcome": _outcome(answer.status),
                "used": quantity_text(answer.used, row.kind),
                "granted": quantity_text(answer.granted, row.kind),
                "granted_units": answer.granted,
                "booked": amount_text(answer.booked_nano),
                "reserved": amount_text(answer.reserved_nano),
                "over_limit": amount_text(answer.over_limit_nano),
                "balances": balance_rows(trial.table, now.state),
            }
        )
    return AccountCharges(shown, balance_rows(trial.table, now.state))


def refund_rows(trial: Trial, rows: Sequence[RefundRow]) -> AccountCharges:
    """Give amounts back to the balances that are named; what names none that exists is reported and touches no other."""
    place = {balance.balance_id: row for row, balance in enumerate(trial.table.balances)}
    postings, shown, lost = [], [], []
    for number, row in enumerate(rows):
        at = place.get(row.balance_id)
        if at is None:
            hint = close_match(row.balance_id, place)
            lost.append({"record_id": row.record_id, "balance": row.balance_id, "unallocated_refund": row.written, "hint": hint})
            continue
        balance, amount = trial.table.balances[at], row.value * trial.table.den(at)
        is_money = balance.kind == MONEY
        posting = [number, -1, 0, -1, 0, 0, 0, 0, -1, 0]
        posting[MONEY_BALANCE if is_money else BALANCE], posting[MONEY_NANO if is_money else UNITS] = at, int(amount)
        postings.append(posting)
        shown.append({"record_id": row.record_id, "balance": row.balance_id, "refunded": value_text(balance.kind, row.value)})
    found = refund(trial.table, trial.table.start(), np.array(postings, dtype=object).reshape(-1, 10))
    return AccountCharges(shown, balance_rows(trial.table, found.state), unallocated=lost)


def balance_rows(table: BalanceTable, state: BalanceState) -> list[Row]:
    """What each balance held at first and what is left of it, by account and id."""
    found, start = [], table.start()
    for row, balance in enumerate(table.balances):
        value = table.value(state, row)
        before = value_text(balance.kind, table.value(start, row))
        owner = balance.owner or f"group {balance.share}"
        shown = {
            "balance": balance.balance_id, "account": owner, "kind": KIND_NAMES[balance.kind], "before": before,
            "value": value_text(balance.kind, value),
        }  # fmt: skip
        found.append(shown | {"units": str(value), "used": str(Fraction(int(state.used[row]), table.den(row)))})
    return sorted(found, key=lambda row: (row["account"], row["balance"]))


def _columns(trial: Trial, rows: Sequence[UsageRow]) -> dict[str, Any]:
    table = trial.table
    return {
        "account_index": np.array([table.accounts.index(row.account) for row in rows], dtype=np.int32),
        "tariff_index": np.full(len(rows), trial.book.tariff_index(trial.tariff.tariff_id), dtype=np.int32),
        "kind": np.array([int(row.kind) for row in rows], dtype=np.uint8),
        "called_number": np.array([row.called_number for row in rows], dtype=np.uint64),
        "start_at": np.array([row.start_at for row in rows], dtype=np.int64),
        "quantity": np.array([row.quantity for row in rows], dtype=np.int64),
        "category": np.array([table.categories.get(row.category, -1) for row in rows] or [-1], dtype=np.int32),
    }


def _outcome(status: int) -> str:
    return "ok" if status == Reason.OK else Reason(status).label


def _record_rows(trial: Trial, rows: Sequence[UsageRow], charged: ChargedUsage, order: list[int]) -> list[Row]:
    """One row for each record in the order given; `order[k]` is the record that was charged k-th."""
    postings: dict[int, list[Row]] = {}
    for post in charged.postings.tolist():
        record = rows[order[post[0]]]
        postings.setdefault(post[0], []).append(_posting_row(trial, post, record))
    shown: list[Row] = [{}] * len(rows)
    for place, number in enumerate(order):
        row = rows[number]
        shown[number] = {
            "record": number + 1,
            "record_id": row.record_id,
            "account": row.account,
            "kind": row.kind.label,
            "start_at": moment_of(row.start_at).astimezone(zone_of(trial.tariff.zone)).isoformat(),
            "quantity": quantity_text(row.quantity, row.kind),
            "outcome": _outcome(int(charged.status[place])),
            "charge": amount_text(int(charged.charge_nano[place])),
            "charged": quantity_text(int(charged.charged_quantity[place]), row.kind),
            "charged_units": int(charged.charged_quantity[place]),
            "granted": quantity_text(int(charged.granted[place]), row.kind),
            "granted_units": int(charged.granted[place]),
            "over_limit": amount_text(int(charged.over_limit_nano[place])),
            "postings": postings.get(place, []),
        }
    return shown


def _posting_row(trial: Trial, post: list[int], record: UsageRow) -> Row:
    """Who paid what for which part of a record."""
    table = trial.table
    shown: Row = {
        "from": quantity_text(post[FROM], record.kind),
        "to": quantity_text(post[TO], record.kind),
        "count": post[COUNT],
    }
    if post[BALANCE] >= 0:
        of = table.balances[post[BALANCE]]
        taken = Fraction(post[UNITS], table.den(post[BALANCE]))
        shown |= {"balance": of.balance_id, "taken": value_text(of.kind, taken)}
    if post[MONEY_BALANCE] >= 0:
        shown |= {"money_balance": table.balances[post[MONEY_BALANCE]].balance_id, "amount": amount_text(post[MONEY_NANO])}
    if post[RULE_INDEX] >= 0:
        rule = table.rules[post[RULE_INDEX]]
        shown |= {"item": rule.item, "version": rule.version, "rate": rule.rate.name, "tier": post[TIER]}
        shown["what"] = "usage" if post[COUNT] else "connect fee"
    else:
        shown["what"] = "allowance"
    return shown
