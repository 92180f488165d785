"""The slow, obvious twin of `settlement`: dicts, fractions and loops over days. Shares no arithmetic with the room."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import Any

MINOR_NANO = {"EUR": 10_000_000, "JPY": 1_000_000_000, "KWD": 1_000_000}
RANKS = {"fee": 0, "usage": 1, "discount": 2, "tax": 3, "rounding": 4}
Row = dict[str, Any]


def half_up(value: Fraction) -> int:
    """The nearest integer, halves away from zero."""
    magnitude = abs(value)
    whole = magnitude.numerator // magnitude.denominator
    if magnitude - whole >= Fraction(1, 2):
        whole += 1
    return whole if value >= 0 else -whole


def settle_slowly(
    usage_items: list[Row],
    contracts: list[Row],
    accounts: list[Row],
    fees: list[Row],
    taxes: list[Row],
    carried: list[Row],
    *,
    midnights: list[int],
) -> tuple[list[Row], dict[str, Row], dict[str, int]]:
    """(lines in bill order, bills by payer, carried residues by account); `midnights` holds the period's and that of its end."""
    account_of = {row["account_id"]: row for row in accounts}
    sums: dict[tuple[Any, ...], Row] = {}
    for usage in usage_items:
        _add(sums, usage["account_id"], "usage", usage, usage["net_nano"] + usage["discount_nano"])
    discounts: dict[tuple[Any, ...], int] = defaultdict(int)
    for usage in usage_items:
        key = (usage["account_id"], usage["tariff_id"], usage["version"], usage["item"], usage["kind"], usage["unit"])
        discounts[key] += usage["discount_nano"]
    lines = list(sums.values())
    for (account_id, tariff_id, version, item, kind, unit), discount in discounts.items():
        if discount:
            lines.append(
                _line(
                    account_id,
                    "discount",
                    tariff_id,
                    version,
                    item,
                    -discount,
                    usage_kind=kind,
                    unit=unit,
                    quantity=0,
                    services=0,
                )
            )
    lines += _fee_lines(contracts, fees, midnights)

    by_payer: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        by_payer[account_of[line["account_id"]]["bill_to_account_id"]].append(line)
    residue_of = {row["account_id"]: row["carried_nano"] for row in carried}
    ordered: list[Row] = []
    bills: dict[str, Row] = {}
    for payer in sorted(by_payer):
        minor = MINOR_NANO[account_of[payer]["currency"]]
        own, bill = _bill(payer, by_payer[payer], taxes, residue_of.get(payer, 0), minor, midnights)
        ordered += own
        bills[payer] = bill
        residue_of[payer] = bill["carried_out_nano"]
    return ordered, bills, residue_of


def _bill(
    payer: str, net: list[Row], taxes: list[Row], carried_in: int, minor: int, midnights: list[int]
) -> tuple[list[Row], Row]:
    bases: dict[tuple[str, int], int] = defaultdict(int)
    for line in net:
        for name, rate in _taxes_of(line["tariff_id"], taxes, midnights):
            bases[name, rate] += line["exact_nano"]
    tax_lines = []
    for (name, rate), base in bases.items():
        tax = half_up(Fraction(base * rate, 1_000_000 * minor)) * minor
        tax_lines.append(_line(payer, "tax", "", "", name, tax, rate_ppm=rate, base_nano=base, quantity=0, services=0))
    lines = net + tax_lines
    for line in lines:
        line["amount_nano"] = half_up(Fraction(line["exact_nano"], minor)) * minor
    residue = carried_in + sum(line["exact_nano"] - line["amount_nano"] for line in lines)
    whole_units = int(abs(residue) // minor) * (1 if residue > 0 else -1)
    if whole_units:
        rounding = _line(payer, "rounding", "", "", "Carried rounding", 0, quantity=0, services=0)
        rounding["amount_nano"] = whole_units * minor
        lines.append(rounding)
    lines.sort(
        key=lambda line: (
            line["kind"] in ("tax", "rounding"),
            line["account_id"].encode(),
            RANKS[line["kind"]],
            *(line[name].encode() for name in ("tariff_id", "version", "item", "usage_kind", "unit")),
            line["rate_ppm"],
        )
    )
    exact, total = sum(line["exact_nano"] for line in lines), sum(line["amount_nano"] for line in lines)
    tax_total = sum(line["amount_nano"] for line in lines if line["kind"] == "tax")
    return lines, {
        "total_nano": total,
        "tax_nano": tax_total,
        "exact_nano": exact,
        "carried_in_nano": carried_in,
        "carried_out_nano": carried_in + exact - total,
    }


def _fee_lines(contracts: list[Row], fees: list[Row], midnights: list[int]) -> list[Row]:
    start, end, days = midnights[0], midnights[-1], len(midnights) - 1
    service_days: dict[tuple[Any, ...], int] = defaultdict(int)
    services: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for contract in contracts:
        for day in midnights[:-1]:
            if contract["effective_from_at"] <= day < contract["effective_to_at"]:
                for fee in fees:
                    in_force = fee["version_from_at"] <= day < fee["version_to_at"]
                    if fee["prorate"] and fee["tariff_id"] == contract["tariff_id"] and in_force:
                        key = (contract["account_id"], fee["tariff_id"], fee["version"], fee["name"], fee["amount_nano"])
                        service_days[key] += 1
                        services[key].add(contract["service_id"])
    lines = []
    for key, count in service_days.items():
        account_id, tariff_id, version, name, amount = key
        exact = half_up(Fraction(amount * count, days))
        lines.append(
            _line(account_id, "fee", tariff_id, version, name, exact, unit="days", quantity=count, services=len(services[key]))
        )
    whole: dict[tuple[Any, ...], int] = defaultdict(int)
    for service_id, account_id, tariff_id in sorted({(c["service_id"], c["account_id"], c["tariff_id"]) for c in contracts}):
        overlaps = []
        for contract in contracts:
            if (contract["service_id"], contract["account_id"], contract["tariff_id"]) != (service_id, account_id, tariff_id):
                continue
            for fee in fees:
                if fee["tariff_id"] == tariff_id and not fee["prorate"]:
                    first = max(contract["effective_from_at"], fee["version_from_at"], start)
                    last = min(contract["effective_to_at"], fee["version_to_at"], end)
                    if first < last:
                        overlaps.append((first, fee["version"], fee["name"], fee["amount_nano"]))
        earliest = min((first for first, *_ in overlaps), default=None)
        for version, name, amount in {tuple(rest) for first, *rest in overlaps if first == earliest}:
            whole[account_id, tariff_id, version, name, amount] += 1
    for (account_id, tariff_id, version, name, amount), count in whole.items():
        lines.append(
            _line(account_id, "fee", tariff_id, version, name, amount * count, unit="count", quantity=count, services=count)
        )
    return lines


def _taxes_of(tariff_id: str, taxes: list[Row], midnights: list[int]) -> list[tuple[str, int]]:
    held = [
        tax
        for tax in taxes
        if tax["tariff_id"] == tariff_id and tax["version_from_at"] < midnights[-1] and tax["version_to_at"] > midnights[0]
    ]
    last = max((tax["version_from_at"] for tax in held), default=None)
    return [(tax["name"], tax["rate_ppm"]) for tax in held if tax["version_from_at"] == last]


def _add(sums: dict[tuple[Any, ...], Row], account_id: str, kind: str, usage: Row, exact: int) -> None:
    key = (account_id, usage["tariff_id"], usage["version"], usage["item"], usage["kind"], usage["unit"])
    if key not in sums:
        sums[key] = _line(
            account_id, kind, usage["tariff_id"], usage["version"], usage["item"], 0, usage_kind=usage["kind"], unit=usage["unit"]
        ) | {"service_ids": set()}
    line = sums[key]
    line["exact_nano"] += exact
    line["quantity"] += usage["quantity"]
    line["service_ids"].add(usage["service_id"])
    line["service_count"] = len(line["service_ids"])


def _line(
    account_id: str,
    kind: str,
    tariff_id: str,
    version: str,
    item: str,
    exact: int,
    *,
    usage_kind: str = "",
    unit: str = "",
    quantity: int = 0,
    services: int = 0,
    rate_ppm: int = 0,
    base_nano: int = 0,
) -> Row:
    return {
        "account_id": account_id,
        "kind": kind,
        "tariff_id": tariff_id,
        "version": version,
        "item": item,
        "usage_kind": usage_kind,
        "unit": unit,
        "service_count": services,
        "quantity": quantity,
        "rate_ppm": rate_ppm,
        "base_nano": base_nano,
        "exact_nano": exact,
    }
