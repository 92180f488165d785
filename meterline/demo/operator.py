"""The folder of a generated operator: configuration, reference data, tariffs, and an inbox with a month of files."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from meterline.demo.call_files import LAYOUT, write_call_files
from meterline.demo.calls import call_lines
from meterline.demo.expectations import OperatorSummary
from meterline.demo.meter_files import write_meter_files
from meterline.demo.meters import meter_month
from meterline.demo.reference import MOBILE_TARIFFS, POWER_TARIFFS, ZONE, Customers, add_metering_points, add_mobile, nem_days_of
from schemas.errors import ConfigurationError, Fault
from schemas.periods import period_number, period_of

CONFIGURATION = """\
tenant: default
currency: EUR
zone: Europe/Berlin
buckets: 64
reference:
  accounts: reference/accounts.csv
  services: reference/services.csv
  tariffs: reference/tariffs
drops:
  - {folder: inbox/calls, format: calls, layout: reference/layouts/network_calls.yaml}
  - {folder: inbox/meters, format: nem12}
settled_file_s: 5
"""
# The least that still has each kind of customer and record, and the most that is built in a few gigabytes of memory.
_BOUNDS = {"subscribers": (20, 1_000_000), "calls": (1_000, 10_000_000), "meters": (10, 20_000)}
_FOLDERS = ("reference/tariffs", "reference/layouts", "inbox/calls", "inbox/meters")


def build_operator(
    folder: Path, *, seed: int, subscribers: int = 3000, calls: int = 1_000_000, meters: int = 300, period: str = "2026-10"
) -> OperatorSummary:
    """Write an operator into `folder`, byte-identical for the same arguments.

    Args:
        folder: must not exist or be empty.
        seed: of all numbers drawn, at least 0.
        subscribers: mobile numbers, 20 to 1,000,000.
        calls: call record lines in all files together (not counting the file that is dropped twice), 1,000 to 10,000,000.
        meters: metering points, 10 to 20,000, each with a value every quarter of an hour.
        period: `YYYY-MM`, a calendar month in Europe/Berlin.

    Returns:
        The row account that the product must come to.

    Raises:
        ConfigurationError: an argument out of range (all of them at once), or a folder that holds something.
    """
    _check(folder, {"subscribers": subscribers, "calls": calls, "meters": meters}, seed)
    month = period_of(period_number(period), ZONE)
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    customers = Customers()
    numbers = add_mobile(customers, month, seed=seed, count=subscribers)
    nem_days = nem_days_of(month)
    points = add_metering_points(customers, seed=seed, count=meters, nem_days=nem_days)
    _write_reference(folder, customers)
    call_accounts, copies = write_call_files(folder / "inbox/calls", call_lines(numbers, month, seed=seed, count=calls))
    readings = meter_month(points, nem_days, seed=seed)
    meter_files = write_meter_files(folder / "inbox/meters", readings)
    return OperatorSummary(
        period=month.label,
        seed=seed,
        services=len(customers.services),
        accounts=len(customers.accounts),
        files=tuple(call_accounts + meter_files.accounts),
        duplicate_files=tuple(copies),
        refused_files=tuple(meter_files.refused),
        energy_milliwh=readings.energy_milliwh(),
        energy_in_period_milliwh=readings.energy_between_milliwh(month.start_at, month.end_at),
        unbilled_energy_milliwh=meter_files.unbilled_energy_milliwh,
    )


def _check(folder: Path, counts: dict[str, int], seed: int) -> None:
    faults = [
        Fault(name, "out of range", was=str(count), must_be=f"{_BOUNDS[name][0]} to {_BOUNDS[name][1]}", code="out_of_range")
        for name, count in counts.items()
        if not _BOUNDS[name][0] <= count <= _BOUNDS[name][1]
    ]
    if seed < 0:
        faults.append(Fault("seed", "out of range", was=str(seed), must_be="at least 0", code="out_of_range"))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        faults.append(Fault(str(folder), "not an empty folder", next_step="name a new one, or empty this one", code="not_empty"))
    if faults:
        raise ConfigurationError(faults)


def _write_reference(folder: Path, customers: Customers) -> None:
    (folder / "meterline.yaml").write_text(CONFIGURATION, encoding="utf-8")
    (folder / "reference/layouts/network_calls.yaml").write_text(LAYOUT, encoding="utf-8")
    customers.accounts_frame().write_csv(folder / "reference/accounts.csv")
    customers.services_frame().write_csv(folder / "reference/services.csv")
    source = importlib.resources.files("meterline.demo.tariffs")
    for name in MOBILE_TARIFFS + POWER_TARIFFS:
        (folder / "reference/tariffs" / f"{name}.yaml").write_bytes((source / f"{name}.yaml").read_bytes())
