"""Terms of services out of a table of texts, which channels a tariff bills, and what a close refuses by name."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rating.agreed_terms import agreed_terms, with_terms
from rating.billed_roles import billed_roles
from rating.terms import bills_by_elements, commercial_terms
from schemas.channels import ChannelRole
from schemas.errors import ConfigurationError
from schemas.quantities import UsageKind
from tests.unit.rating.utility_cases import tariff_of

FLAT = 'energy: {prices: [{item: Energy, price: "0.30", per: 1 kWh}]}\n'
_SCHEMA = {"line": pl.Int64, "service_id": pl.String, "term": pl.String, "value": pl.String,
           "effective_from_at": pl.Int64, "effective_to_at": pl.Int64}  # fmt: skip


def _texts(*rows: tuple[str, str, str, int, int]) -> pl.DataFrame:
    numbered = [(line, *row) for line, row in enumerate(rows, start=2)]
    return pl.DataFrame(numbered, schema=_SCHEMA, orient="row")


def test_terms_are_read_into_base_units_and_hold_at_the_end_of_a_part() -> None:
    terms = agreed_terms(
        _texts(
            ("S1", "installed", "315 kVA", 0, 100),
            ("S1", "installed", "630 kVA", 100, 200),
            ("S1", "option", "maximum", 0, 200),
            ("S1", "correction", "1.02264", 0, 200),
            ("S2", "paused_days", "3", 0, 200),
        ),
        "service_terms.csv",
    )
    groups = pl.DataFrame({"service_id": ["S1", "S1", "S2"], "to_at": [100, 150, 150]})
    shown = with_terms(groups, terms).select("installed_milliva", "option", "correction_nano", "paused_days")
    assert shown.rows() == [
        (315_000_000, "maximum", 1_022_640_000, 0),
        (630_000_000, "maximum", 1_022_640_000, 0),
        (None, None, None, 3),
    ]


def test_every_fault_of_terms_names_file_and_line() -> None:
    with pytest.raises(ConfigurationError) as refused:
        agreed_terms(
            _texts(("S1", "instaled", "315 kVA", 0, 9), ("S1", "contract", "500 kVAr", 0, 9), ("S1", "shifts", "4", 0, 9)),
            "terms.csv",
        )
    assert [(fault.where, fault.what, fault.next_step) for fault in refused.value.faults] == [
        ("terms.csv:2", "no such term", "did you mean 'installed'?"),
        ("terms.csv:3:1 contract", "no such unit", "known: MW, W, kW"),
        ("terms.csv:4:1 shifts", "out of range", ""),
    ]


EXPORT = 'export: {method: buy_all_sell_all, item: Bought, excess: pay, prices: [{item: Credit, price: "0.1", per: 1 kWh}]}\n'
BILLED = {
    FLAT: {ChannelRole.IMPORT},
    FLAT + EXPORT: {ChannelRole.IMPORT, ChannelRole.EXPORT},
    FLAT + 'power_factor: {item: R, method: excess_kvarh, share_percent: "20", price: "1", per: 1 kvarh}\n': {
        ChannelRole.IMPORT, ChannelRole.REACTIVE_IMPORT, ChannelRole.REACTIVE_EXPORT,
    },
    FLAT + 'demand: [{item: D, unit: kVA, price: "1", per: 1 kVA}]\n': {
        ChannelRole.IMPORT, ChannelRole.REACTIVE_IMPORT, ChannelRole.REACTIVE_EXPORT,
    },
}  # fmt: skip


@pytest.mark.parametrize("elements", BILLED)
def test_a_tariff_bills_the_channels_that_its_elements_use(elements: str) -> None:
    tariff = tariff_of(elements)
    at = np.array([tariff.versions[0].effective_from_at, tariff.versions[0].effective_from_at - 1, 0], np.int64)
    roles, kind, by_price = billed_roles([tariff], np.array([0, 0, -1], np.int32), at)
    assert {role for role in ChannelRole if int(roles[0]) & role.bit} == BILLED[elements]
    assert roles[1:].tolist() == [ChannelRole.IMPORT.bit] * 2 and by_price.all() and set(kind.tolist()) == {int(UsageKind.ENERGY)}


def test_a_close_refuses_only_what_it_cannot_bill_and_by_name() -> None:
    tariff = tariff_of(
        FLAT
        + """
demand:
  - {item: Sliding, unit: kVA, measure: {kind: sliding, minutes: 30}, price: "1", per: 1 kVA}
  - {item: System, pick: coincident, measure: {kind: block, minutes: 30}, price: "1", per: 1 kW}
taxes: [{name: VAT, percent: "19"}]
tax_by: line
""",
        rounding="{scope: total, mode: half_up, decimals: 2}",
    )
    with pytest.raises(ConfigurationError) as refused:
        commercial_terms([tariff])
    assert [fault.what.removesuffix(": not billed by a period close") for fault in refused.value.faults] == [
        "a tax rounded line by line (a bill has one tax line a rate)",
        "rounding of the total of a service (a bill rounds its lines)",
        "demand Sliding in kVA over a sliding window or a block that does not divide the hour",
        "demand System at the system's peaks (no file names them)",
    ]


def test_fees_of_tariffs_billed_by_elements_are_theirs_and_taxes_find_lines_of_tiers() -> None:
    plain = tariff_of(FLAT + 'fees: [{name: Line, amount: "5", per: month}]\n')
    tiers = 'energy: {tier_scope: per_period, prices: [{item: Energy, per: 1 kWh, tiers: [{from: 0 kWh, price: "1"}, {from: 9 kWh, price: "2"}]}]}\n'
    daily = tariff_of(tiers + 'fees: [{name: Line, amount: "5", per: day}]\ntaxes: [{name: VAT, percent: "19", of: [Energy]}]\n')
    assert (bills_by_elements(plain), bills_by_elements(daily)) == (False, True)
    assert [commercial_terms([one])[0].height for one in (plain, daily)] == [1, 0]
    assert commercial_terms([daily])[1]["of_items"].to_list() == [["Energy", "Energy above 9 kWh"]]
