"""Rates of the OpenEI Utility Rate Database (JSON) as utility tariffs, with every field represented or named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rating.importers.deck_values import Unreadable
from rating.importers.findings import FindingKind, Imported, RowAccount, nothing_imported, settled
from rating.importers.urdb_demand import USED as DEMAND_FIELDS
from rating.importers.urdb_demand import read_demand_of
from rating.importers.urdb_energy import SCHEDULES, read_energy_of, read_export_of
from rating.importers.urdb_fields import ATTRIBUTES, COMMENTS, CONDITIONS, RateFields, date_of, read_rates
from rating.importers.yaml_text import yaml_text
from schemas.errors import ConfigurationError

_PER = {"$/month": "month", "$/day": "day", "$/year": "year"}
_USED = frozenset(
    {
        *("name", "startdate", "enddate", "energyratestructure", *SCHEDULES, "fueladjustmentsmonthly", "dgrules"),
        *("fixedchargefirstmeter", "fixedchargeunits", "fixedchargeeaaddl", "fixedmonthlycharge", "energyrateunit"),
        *("mincharge", "minchargeunits", "minmonthlycharge", "annualmincharge", "demandreactivepowercharge"),
        *(*DEMAND_FIELDS, *COMMENTS, *CONDITIONS, *ATTRIBUTES),
    }
)


@dataclass(frozen=True, slots=True)
class RateOptions:
    """What a rate does not say. `tier_scope` None: prorated, or in time order where export is billed by interval."""

    zone: str
    currency: str = "USD"
    effective_from: str | None = None  # of rates without a start date
    tier_scope: str | None = None
    rounding_decimals: int = 2


@dataclass(slots=True)
class _Version:
    rate: RateFields
    from_on: str
    to_on: str | None
    body: dict[str, object]
    comments: list[str]


def import_urdb(text: str, file: str, options: RateOptions) -> Imported:
    """A tariff for each (utility, name), with a version for each rate of that name.

    Args:
        text: JSON of one rate, of a list, or of the API's answer.
    Raises:
        ConfigurationError: no JSON, no rate, or none that could be imported.
    """
    account = RowAccount()
    rates = read_rates(text, file, account)
    tariffs: dict[tuple[str, str], list[_Version]] = {}
    for rate in rates:
        version = _version(rate, options)
        rate.dropped = version is None
        if version:
            tariffs.setdefault((str(rate.get("utility") or ""), str(rate.get("name") or "")), []).append(version)
    files: dict[str, str] = {}
    for (utility, name), versions in tariffs.items():
        tariff_id = _id_of(utility, name, versions[0].rate, files)
        text_of = _tariff_text(tariff_id, f"{utility}: {name}" if utility else name, versions, options)
        if text_of:
            files[f"{tariff_id}.yaml"] = text_of
    for rate in rates:
        rate.close(set(_USED))
    findings = [one for rate in rates for one in rate.findings]
    if not files:
        raise ConfigurationError(nothing_imported(file, "no rate could be imported", findings))
    return settled(files, findings, {file: account}, unit="fields")


def _id_of(utility: str, name: str, rate: RateFields, taken: dict[str, str]) -> str:
    plain = re.sub(r"[^A-Za-z0-9]+", "_", f"{utility} {name}").strip("_").lower()[:48] or "rate"
    label = re.sub(r"[^A-Za-z0-9]+", "", str(rate.get("label") or ""))
    if f"{plain}.yaml" not in taken:
        return plain
    return f"{plain[:40]}_{label[-12:] or len(taken)}"


def _version(rate: RateFields, options: RateOptions) -> _Version | None:
    """One rate as a version; None (and a finding) where dates or energy prices cannot be said."""
    try:
        start, end = rate.get("startdate"), rate.get("enddate")
        from_on = date_of(start) if start is not None else options.effective_from
        to_on = None if end is None else (date.fromisoformat(date_of(end)) + timedelta(days=1)).isoformat()
    except Unreadable as reason:
        rate.refuse("startdate" if "startdate" in rate.values else "enddate", reason.what, rate.get("startdate"))
        return None
    if from_on is None:
        rate.refuse(
            "startdate" if "startdate" in rate.values else "", "no start date", next_step="say it: --effective-from YYYY-MM-DD"
        )
        return None
    if to_on is not None:
        rate.find(FindingKind.GUESS, "enddate", "the end date is the last day", date_of(end))
        if to_on <= from_on:
            rate.refuse("enddate", "ends before it starts", date_of(end))
            return None
    hourly = str(rate.get("dgrules") or "") not in ("", "Net Metering")
    scope = options.tier_scope or ("shared_chronological" if hourly else "shared_prorated")
    try:
        energy = read_energy_of(rate, scope)
        windows = dict(energy.windows)
        demand = read_demand_of(rate, windows)
        export = read_export_of(rate, energy)
        fees, minimums = _fees(rate), _minimums(rate)
    except Unreadable as reason:
        rate.find(FindingKind.NOTE, "", "this rate was not imported", reason.what)
        return None
    if energy.has_tiers and len(energy.sells) > 1 and options.tier_scope is None:
        what = "tiers over several periods climb by"
        rate.find(FindingKind.GUESS, "energyratestructure", what, scope, "say otherwise with --tier-scope")
    body: dict[str, object] = {"rounding": {"scope": "line", "mode": "half_up", "decimals": options.rounding_decimals}}
    for key, value in (
        ("windows", windows),
        ("energy", energy.element),
        ("demand", demand),
        ("export", export),
        ("fees", fees),
        ("minimums", minimums),
    ):
        if value:
            body[key] = value
    _name_the_rest(rate)
    return _Version(rate, from_on, to_on, body, _comments(rate))


def _fees(rate: RateFields) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name, units in (
        ("fixedchargefirstmeter", str(rate.get("fixedchargeunits") or "$/month")),
        ("fixedmonthlycharge", "$/month"),
    ):
        amount = rate.number(name)
        if not amount:
            continue
        if units not in _PER:
            rate.refuse(name, "a fixed charge per an unknown unit", units, " or ".join(_PER))
            continue
        title = "Customer charge" if not found else "Fixed charge"
        found.append({"name": title, "amount": rate.amount(amount, name), "per": _PER[units]})
    if rate.number("fixedchargeeaaddl"):
        rate.refuse(
            "fixedchargeeaaddl", "a charge for each further meter", str(rate.get("fixedchargeeaaddl")), "a contract of its own"
        )
    return found


def _minimums(rate: RateFields) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name, units in (
        ("mincharge", str(rate.get("minchargeunits") or "$/month")),
        ("minmonthlycharge", "$/month"),
        ("annualmincharge", "$/year"),
    ):
        amount = rate.number(name)
        if not amount:
            continue
        if units not in ("$/month", "$/year"):
            rate.refuse(name, "a minimum per another time than month or year", units)
            continue
        if amount < 0:
            rate.refuse(name, "a minimum below zero", str(rate.get(name)))
            continue
        item = "Minimum charge" if not found else f"Minimum charge ({name})"
        found.append({"item": item, "amount": rate.amount(amount, name), "per": _PER[units], "counts": ["fixed"]})
        rate.find(FindingKind.GUESS, name, "fixed charges count towards the minimum")
    return found


def _name_the_rest(rate: RateFields) -> None:
    """Charges that no tariff can say, and conditions that a tariff does not check."""
    if rate.number("demandreactivepowercharge"):
        step = "write power_factor: {method: excess_kvar, ...} with the share of the rate sheet"
        rate.refuse(
            "demandreactivepowercharge",
            "a reactive power charge without the kvar that are free",
            str(rate.get("demandreactivepowercharge")),
            step,
        )
    for name in CONDITIONS:
        if rate.get(name) is not None:
            rate.find(
                FindingKind.NOTE, name, "a condition of service: kept as a comment, checked with the contract", rate.get(name)
            )
    for name in ATTRIBUTES:
        if rate.get(name) is not None:
            rate.refuse(name, "attributes in free words: read them", rate.get(name))


def _comments(rate: RateFields) -> list[str]:
    lines = []
    for name in (*COMMENTS, *CONDITIONS):
        value = rate.get(name)
        if value is not None:
            text = " ".join(str(value).split())
            lines.append(f"# {name}: {text}")
    return lines


def _tariff_text(tariff_id: str, name: str, versions: Sequence[_Version], options: RateOptions) -> str:
    """The YAML: comments of every rate on top, versions in order of their start, each ended where the next starts."""
    in_order = sorted(versions, key=lambda version: version.from_on)
    kept: list[_Version] = []
    for version in in_order:
        if kept and kept[-1].from_on == version.from_on:
            version.rate.find(FindingKind.CONFLICT, "startdate" if "startdate" in version.rate.values else "name",
                              "another rate of this name starts on this day and stands", version.from_on)  # fmt: skip
            version.rate.dropped = True
            continue
        kept.append(version)
    written: list[dict[str, object]] = []
    for version, following in zip(kept, [*kept[1:], None], strict=True):
        to_on = version.to_on
        if following and (to_on is None or to_on > following.from_on):
            if to_on is not None:
                version.rate.find(FindingKind.NOTE, "enddate", "ended by the next rate of this name", following.from_on)
            to_on = following.from_on
        top: dict[str, object] = {"version": version.from_on, "effective_from": version.from_on}
        written.append({**top, **({"effective_to": to_on} if to_on else {}), **version.body})
    head: dict[str, object] = {"tariff": tariff_id, "name": name or tariff_id, "currency": options.currency, "zone": options.zone}
    comments = [line for version in kept for line in [f"# rate of {version.from_on}", *version.comments]]
    return "\n".join(comments) + "\n" + yaml_text({**head, "service": "utility", "versions": written})
