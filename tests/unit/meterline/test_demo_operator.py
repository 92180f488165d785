"""The generated operator as a whole: the same bytes for the same arguments, usable reference data, clear refusals."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from accounts.reference_files import read_accounts, read_services
from meterline.demo import FileAccount, OperatorSummary, build_operator
from meterline.demo.expectations import counted, disposition_of
from meterline.demo.reference import (
    MOBILE_TARIFFS,
    POWER_TARIFFS,
    Customers,
    add_metering_points,
    add_mobile,
    nem_days_of,
    nem_midnight_us,
)
from rating.tariff_files import load_tariffs
from schemas.errors import ConfigurationError
from schemas.periods import period_number, period_of
from schemas.quantities import UsageKind

ZONE = "Europe/Berlin"


def _tree(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _small(folder: Path, *, seed: int = 7, period: str = "2026-10") -> OperatorSummary:
    return build_operator(folder, seed=seed, subscribers=60, calls=2_000, meters=12, period=period)


def test_the_same_arguments_give_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    first, second = _small(tmp_path / "first"), _small(tmp_path / "second")
    other = _small(tmp_path / "other", seed=8)
    assert first == second
    assert _tree(tmp_path / "first") == _tree(tmp_path / "second")
    moved = {name for name, digest in _tree(tmp_path / "other").items() if _tree(tmp_path / "first")[name] != digest}
    assert {"inbox/calls/network_calls_0001.csv", "inbox/meters/meters_0001.csv", "reference/services.csv"} <= moved
    assert other.energy_milliwh != first.energy_milliwh


def test_it_holds_every_file_that_the_configuration_names_and_no_other(tmp_path: Path) -> None:
    summary = _small(tmp_path / "operator")
    collected = {file.path for file in summary.files} | {*summary.duplicate_files, *summary.refused_files}
    tariffs = {f"reference/tariffs/{name}.yaml" for name in ("mobile_basic", "mobile_plus", "power_tou", "power_blocks")}
    reference = {"meterline.yaml", "reference/accounts.csv", "reference/services.csv", "reference/layouts/network_calls.yaml"}
    assert set(_tree(tmp_path / "operator")) == collected | tariffs | reference


def test_a_file_is_dropped_twice_under_another_name(tmp_path: Path) -> None:
    summary = _small(tmp_path / "operator")
    tree = _tree(tmp_path / "operator")
    (again,) = summary.duplicate_files
    assert tree[again] == tree[again.replace("_again", "")]
    assert again not in {file.path for file in summary.files}


@pytest.mark.parametrize("period", ["2026-10", "2026-03", "2027-02"])
def test_its_reference_data_is_accepted_whole(tmp_path: Path, period: str) -> None:
    summary = _small(tmp_path / "operator", period=period)
    reference = tmp_path / "operator/reference"
    tariffs = load_tariffs(reference / "tariffs")
    accounts = read_accounts(reference / "accounts.csv", currency="EUR")
    services = read_services(reference / "services.csv", accounts, [tariff.tariff_id for tariff in tariffs], zone=ZONE)
    assert (accounts.height, services.height) == (summary.accounts, summary.services)
    assert set(services["tariff_id"]) == {"mobile_basic", "mobile_plus", "power_tou", "power_blocks"}
    assert services["service_id"].n_unique() == 60 + 12
    assert accounts.filter(accounts["group_id"] != "").height > 0
    payers = dict(zip(accounts["account_id"], accounts["group_id"], strict=True))
    paid = accounts.filter(accounts["account_id"] != accounts["bill_to_account_id"])
    assert paid.height > 0
    assert all(payers[row["bill_to_account_id"]] == row["group_id"] for row in paid.iter_rows(named=True))


def test_its_tariffs_have_what_a_demonstration_needs(tmp_path: Path) -> None:
    _small(tmp_path / "operator")
    tariffs = {tariff.tariff_id: tariff for tariff in load_tariffs(tmp_path / "operator/reference/tariffs")}
    for name in ("mobile_basic", "mobile_plus"):
        version = tariffs[name].versions[-1]
        assert {rule.kind for rule in version.rules} == {UsageKind.VOICE, UsageKind.MESSAGE, UsageKind.VOLUME}
        assert version.windows and version.allowances and version.discounts and version.fees
        assert {"national", "europe", "far", "premium"} <= {destination.name for destination in version.destinations}
    assert all(version.taxes[0].ppm == 190_000 for tariff in tariffs.values() for version in tariff.versions)


def test_wrong_arguments_are_all_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "left.txt").write_text("mine")
    with pytest.raises(ConfigurationError) as refused:
        build_operator(tmp_path, seed=-1, subscribers=2, calls=5, meters=1)
    assert str(refused.value).splitlines() == [
        "subscribers: out of range, was 2, must be 20 to 1000000",
        "calls: out of range, was 5, must be 1000 to 10000000",
        "meters: out of range, was 1, must be 10 to 20000",
        "seed: out of range, was -1, must be at least 0",
        f"{tmp_path}: not an empty folder; name a new one, or empty this one",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["left.txt"]


def test_a_bad_period_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="must be YYYY-MM"):
        build_operator(tmp_path / "operator", seed=1, period="2026-13")
    assert not (tmp_path / "operator").exists()


def test_the_summary_adds_up_by_disposition() -> None:
    files = (counted("inbox/calls/a.csv", ["billed", "conflict", "bad_kind"]), counted("inbox/meters/b.csv", ["zero_usage"]))
    summary = OperatorSummary("2026-10", 1, 1, 1, files, (), (), 0, 0)
    assert summary.by_disposition() == {"billed": 1, "filtered": 1, "rejected": 2}
    assert (summary.records(), summary.records("inbox/calls")) == (4, 3)
    assert (summary.good_rows, summary.conflicts, summary.broken, summary.zero_usage) == (1, 1, 1, 1)
    assert disposition_of("unbilled_channel") == "filtered"
    with pytest.raises(AssertionError):
        FileAccount("inbox/calls/a.csv", 2, {"billed": 1})


def test_holdings_say_exactly_when_the_services_file_leaves_a_gap(tmp_path: Path) -> None:
    month = period_of(period_number("2026-10"), ZONE)
    days = nem_days_of(month)
    customers = Customers()
    numbers = add_mobile(customers, month, seed=3, count=300)
    points = add_metering_points(customers, seed=3, count=60, nem_days=days)
    customers.accounts_frame().write_csv(tmp_path / "accounts.csv")
    customers.services_frame().write_csv(tmp_path / "services.csv")
    accounts = read_accounts(tmp_path / "accounts.csv", currency="EUR")
    services = read_services(tmp_path / "services.csv", accounts, [*MOBILE_TARIFFS, *POWER_TARIFFS], zone=ZONE)
    nem_end_at = nem_midnight_us(days[-1] + timedelta(days=1))
    gaps: dict[str, list[tuple[int, int]]] = {}
    for (service_id,), rows in services.group_by("service_id"):
        first_at, end_at = (month.start_at, month.end_at) if str(service_id).isdigit() else (nem_midnight_us(days[0]), nem_end_at)
        ends = [first_at, *rows.sort("effective_from_at")["effective_to_at"]]
        starts = [*rows.sort("effective_from_at")["effective_from_at"], end_at]
        gaps[str(service_id)] = [(end, start) for end, start in zip(ends, starts, strict=True) if first_at <= end < start]
    for holdings, least in ((numbers, 9), (points, 2)):
        away = zip(holdings.identifiers, holdings.away_from_at.tolist(), holdings.away_to_at.tolist(), strict=True)
        found = {name: [(start, end)] if start < end else [] for name, start, end in away}
        assert found == {name: gaps[name] for name in found}
        assert len(holdings.sometimes_away) == least
