"""A home of six accounts with every way to share, five numbers, three metering points: the smallest operator worth a test."""

from __future__ import annotations

from pathlib import Path

from meterline.demo.call_files import LAYOUT

NUMBERS = ("4915200000001", "4915200000002", "4915200000003", "4915200000004", "4915200000005")
POINTS = ("NEMA000001", "NEMA000002", "NEMA000003")

CONFIGURATION = """\
tenant: default
currency: EUR
zone: Europe/Berlin
reference: {accounts: accounts.csv, services: services.csv, tariffs: tariffs}
drops:
  - {folder: inbox/calls, format: calls, layout: calls.yaml}
  - {folder: inbox/meters, format: nem12}
"""
# A family of three with a common payer, a pair that shares an allowance only, and one that stands alone.
ACCOUNTS = """\
account_id,bill_to_account_id,group_id,name,currency
A1,A1,G1,Payer,EUR
A2,A1,G1,Member,EUR
A3,A1,,Guest of the payer,EUR
A4,A4,G2,Left,EUR
A5,A5,G2,Right,EUR
A6,A6,,Alone,EUR
"""
SERVICES = f"""\
service_id,account_id,tariff_id,effective_from,effective_to
{NUMBERS[0]},A1,mobile,2025-01-01,
{NUMBERS[1]},A2,mobile,2025-01-01,
{NUMBERS[2]},A3,mobile,2025-01-01,2026-10-15
{NUMBERS[2]},A6,mobile,2026-10-15,
{NUMBERS[3]},A4,mobile,2025-01-01,2026-10-20
{NUMBERS[4]},A5,mobile,2025-01-01,
{POINTS[0]},A1,power,2025-01-01,
{POINTS[1]},A4,power,2025-01-01,2026-10-15
{POINTS[1]},A6,power,2026-10-15,
{POINTS[2]},A5,power,2025-01-01,
"""
# Thresholds so low that a handful of records crosses them.
MOBILE = """\
tariff: mobile
name: Mobile
currency: EUR
zone: Europe/Berlin
service: telecom
versions:
  - version: "1"
    effective_from: 2025-01-01
    rounding: {scope: record, mode: half_up, decimals: 4}
    destinations:
      national: {prefixes: ["49"]}
      europe: {prefixes: ["43"]}
    rates:
      national_minute: {price: "0.0900", per: 60 s, first_increment: 60 s, increment: 1 s}
      europe_minute: {connect_fee: "0.05", price: "0.2900", per: 60 s, increment: 60 s}
      text_message: {price: "0.0700", per: 1 message, increment: 1 message}
      internet: {price: "2.00", per: 1 MB, increment: 10 KiB}
    rules:
      - {kind: voice, destination: national, rate: national_minute, item: National calls}
      - {kind: voice, destination: europe, rate: europe_minute, item: Calls to Europe}
      - {kind: message, rate: text_message, item: Text messages}
      - {kind: volume, rate: internet, item: Mobile internet}
    allowances:
      - {name: Minutes for all, kind: voice, destinations: [national], units: 7 min, block: 60 s, scope: group, prorate: true}
      - {name: Messages, kind: message, units: 2 messages, block: 1 message, scope: account, prorate: true}
      - {name: Data, kind: volume, units: 1 MB, block: 100 kB, scope: group, prorate: false}
    discount:
      item: Volume discount
      tiers:
        - {from: "1.00", percent: "5"}
        - {from: "3.00", percent: "12.5"}
    fees:
      - {name: Line, amount: "4.99", per: month, prorate: true}
    taxes:
      - {name: VAT, percent: "19"}
"""
POWER = """\
tariff: power
name: Power
currency: EUR
zone: Europe/Berlin
service: utility
versions:
  - version: "1"
    effective_from: 2025-01-01
    rounding: {scope: line, mode: half_up, decimals: 2}
    windows:
      peak: {weekdays: [mon, tue, wed, thu, fri], start: "17:00", end: "21:00"}
    energy:
      tier_scope: shared_chronological
      prices:
        - item: Energy
          per: 1 kWh
          tiers: [{from: 0 kWh, price: "0.2900"}, {from: 3 kWh, price: "0.3300"}, {from: 11 kWh, price: "0.3900"}]
        - item: Peak energy
          window: peak
          weight: 10
          per: 1 kWh
          tiers: [{from: 0 kWh, price: "0.4900"}, {from: 3 kWh, price: "0.5300"}, {from: 11 kWh, price: "0.5900"}]
    fees:
      - {name: Standing charge, amount: "9.80", per: month, prorate: true}
    taxes:
      - {name: VAT, percent: "19"}
"""


def build_small_operator(home: Path) -> None:
    """Write configuration, reference data, tariffs and empty drop folders into a new folder."""
    for folder in ("tariffs", "inbox/calls", "inbox/meters"):
        (home / folder).mkdir(parents=True)
    for name, text in (("meterline.yaml", CONFIGURATION), ("accounts.csv", ACCOUNTS), ("services.csv", SERVICES),
                       ("calls.yaml", LAYOUT), ("tariffs/mobile.yaml", MOBILE), ("tariffs/power.yaml", POWER)):  # fmt: skip
        (home / name).write_text(text, encoding="utf-8")
