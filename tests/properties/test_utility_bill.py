"""Utility bills: equal to the slow twin on random tariffs and determinants; sums conserved; a higher bound never costs more."""

from __future__ import annotations

from fractions import Fraction

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.language.shared_terms import Rounding
from rating.language.utility_terms import StepRounding
from rating.utility.bill_input import DEMAND_SCHEMA, ENERGY_SCHEMA, STEP_SCHEMA, BilledMonth, Determinants
from rating.utility.carried_credits import spend
from rating.utility.energy import tier_parts
from rating.utility.exact import INT128, line_amounts, rounded_products, to_step, whole_roots
from rating.utility.power_factor import power_factor_hundredths
from rating.utility.shares import split_by_shares
from schemas.money import round_ratio
from tests.reference.utility_twin import TwinService, twin_bill
from tests.unit.rating.utility_cases import bill, channels, kilo, state_of, version_of

JUNE = BilledMonth(2026 * 12 + 5, 30, 365)
MODES = ("up", "down", "half_up", "half_even")
milliwh = st.integers(0, 10**12)


@st.composite
def tier_lists(draw: st.DrawFn, suffix: str) -> str:
    bounds = sorted(draw(st.sets(st.integers(1, 2_000), min_size=1, max_size=3)))
    prices = [draw(st.integers(-20, 90)) for _ in range(len(bounds) + 1)]
    rows = [f'{{from: 0 kWh, price: "{prices[0] / 100:.2f}"}}']
    rows += [
        f'{{from: {bound} kWh{suffix}, price: "{price / 100:.2f}"}}' for bound, price in zip(bounds, prices[1:], strict=True)
    ]
    return f"[{', '.join(rows)}]"


@st.composite
def tariffs(draw: st.DrawFn) -> tuple[str, str]:
    """(elements, rounding) of a tariff with most elements."""
    scope = draw(st.sampled_from(["shared_chronological", "shared_prorated", "per_period"]))
    split = draw(st.booleans()) or scope != "shared_chronological"
    whole = draw(st.booleans()) and scope != "shared_chronological"
    suffix = draw(st.sampled_from(["", "/day", "/kW", "/kW/day"]))

    kept = draw(
        st.sampled_from(
            ['ratchet: {floor: 20 kW, percent: "70", months: 6}', "mean_of_months: 4, minimum: 3 kW", "minimum: 2 kW"]
        )
    )
    step = draw(st.sampled_from(["", ", round: {mode: up, to: 1 kW}", ", round: {mode: half_even, to: 0.5 kW}"]))
    share = draw(st.sampled_from(["none", "days", "thirty"]))
    factor = draw(st.sampled_from([
        'method: excess_kvarh, share_percent: "33", price: "0.02", per: 1 kvarh',
        'method: table, standard: "0.90", of: [Off, Peak, Demand], tables: {"0.90": {points: [{at: "0.95", percent: "-0.75"}, {at: "0.90", '
        'percent: "0"}, {at: "0.70", percent: "10"}], per_hundredth_below: "2"}}',
    ]))  # fmt: skip
    export = draw(st.sampled_from(["net_billing", "buy_all_sell_all"]))
    excess = draw(st.sampled_from(["carry", "pay", "lapse"]))
    credits = draw(st.sampled_from(["now", "next_month"]))
    minimum = draw(
        st.sampled_from(
            ["per: month, counts: [fixed, credits]", "per: month", "per: kW, of: [Off, Fee]", "per: month, prorate: days"]
        )
    )
    elements = f"""
windows: {{peak: {{start: "17:00", end: "21:00"}}}}
energy:
  tier_scope: {scope}
  split_at_bound: {str(split).lower()}
  whole_quantity: {str(whole).lower()}
  prorate_bounds: {str(draw(st.booleans())).lower()}
  prices:
    - {{item: Off, per: 1 kWh, tiers: {draw(tier_lists(suffix))}}}
    - {{item: Peak, window: peak, per: 1 kWh, tiers: {draw(tier_lists(suffix))}}}
demand:
  - {{item: Demand, per: 1 kW, tiers: [{{from: 0 kW, price: "2"}}, {{from: 10 kW, price: "3.7"}}], {kept}{step}, prorate: {share}}}
  - {{item: Contract, price: "3.3", per: 1 kW, option: c, prorate: thirty, contract: {{tolerance_percent: "105", excess_factor: "2", minimum_share_percent: "40"}}}}
capacity: [{{item: Capacity, basis: installed, price: "2.81", per: 1 kVA, prorate: {share}}}]
fees:
  - {{name: Fee, amount: "7.77", per: month}}
  - {{name: Daily, amount: "0.123", per: day}}
power_factor: {{item: Factor, {factor}}}
surcharges:
  - {{item: Fund, basis: energy, price: "0.0123", per: 1 kWh, in_tax_base: false}}
  - {{item: Access, basis: demand, price: "0.3", per: 1 kW}}
  - {{item: City, basis: lines, percent: "2.75", of: [Off, Peak, Fund]}}
export: {{method: {export}, item: Credit, excess: {excess}, credits: {credits}, prices: [{{item: Sell, price: "0.0813", per: 1 kWh}}]}}
minimums: [{{item: Minimum, amount: "41.5", {minimum}}}]
taxes:
  - {{name: VAT, percent: "19"}}
  - {{name: Levy, percent: "3.25", of: [Off, Peak, Fee]}}
tax_by: {draw(st.sampled_from(["sum", "line"]))}
"""
    rounding = draw(
        st.sampled_from(["{scope: line, mode: none}", *(f"{{scope: line, mode: {mode}, decimals: 2}}" for mode in MODES)])
    )
    return elements, rounding


@st.composite
def services(draw: st.DrawFn) -> TwinService:
    steps = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 10**10)), min_size=1, max_size=8))
    days = draw(st.integers(1, 30))
    return TwinService(
        days=days,
        month_days=30,
        month=6,
        energy={index: sum(quantity for of, quantity in steps if of == index) for index in (0, 1)},
        steps=steps,
        export={0: draw(milliwh)},
        demand={0: draw(st.integers(0, 10**9)), 1: draw(st.integers(0, 10**9))},
        reactive=draw(st.integers(0, 10**11)),
        installed=draw(st.integers(0, 10**9)),
        contract=draw(st.integers(0, 10**9)),
        option=draw(st.sampled_from(["", "c"])),
        paused=draw(st.integers(0, days)),
        peaks={"Demand": draw(st.dictionaries(st.integers(1, 9), st.integers(0, 10**9), max_size=5))},
        credit_nano=draw(st.integers(0, 10**12)),
    )


def _determinants(service: TwinService) -> Determinants:
    rows = pl.DataFrame([(0, index, quantity) for index, quantity in service.energy.items()], schema=ENERGY_SCHEMA, orient="row")
    used = {"import": sum(service.energy.values()), "export": sum(service.export.values()), "reactive_import": service.reactive}
    return Determinants(
        energy=rows,
        steps=pl.DataFrame(
            [(0, of, at, 1, quantity) for at, (of, quantity) in enumerate(service.steps)], schema=STEP_SCHEMA, orient="row"
        ),
        export=pl.DataFrame(
            [(0, index, quantity) for index, quantity in service.export.items()], schema=ENERGY_SCHEMA, orient="row"
        ),
        demand=pl.DataFrame(
            [(0, index, 1, peak, None, 0) for index, peak in service.demand.items()], schema=DEMAND_SCHEMA, orient="row"
        ),
        channels=pl.DataFrame({"group": 0, "role": list(used), "quantity": list(used.values())}).with_columns(
            pl.col("group").cast(pl.Int32)
        ),
    )


@settings(max_examples=40, deadline=None)
@given(tariff=tariffs(), service=services())
def test_a_bill_is_that_of_the_twin(tariff: tuple[str, str], service: TwinService) -> None:
    version = version_of(*tariff)
    peaks = [("peak", item, JUNE.number - ago, peak) for item, months in service.peaks.items() for ago, peak in months.items()]
    state = state_of(*peaks, ("credit_nano", "", JUNE.number - 1, service.credit_nano))
    billed = bill(
        version, _determinants(service), month=JUNE, days=service.days, state=state, installed_milliva=service.installed,
        contract_milliw=service.contract, option=service.option or None, paused_days=service.paused,
    )  # fmt: skip
    expected = twin_bill(version, service)
    assert billed.refusals.is_empty(), billed.refusals
    sums = billed.lines.group_by("item").agg(pl.col("amount_nano").sum()).filter(pl.col("amount_nano") != 0)
    assert dict(sums.select("item", "amount_nano").rows()) == expected.by_item()
    carried = int(billed.state.filter(pl.col("topic") == "credit_nano")["value"].sum())
    assert carried == expected.credit_nano
    if version.rounding.mode == "none" and version.supply.ladder.quantity_rounding is None:
        energy = billed.lines.filter(pl.col("kind") == "energy")
        assert (
            abs(int(energy["quantity"].sum()) - sum(service.energy.values())) <= energy.height
        )  # each shown to the milliwatt-hour


@settings(max_examples=60, deadline=None)
@given(total=milliwh, before=milliwh, bounds=st.sets(st.integers(1, 10**12), max_size=5), whole=st.booleans())
def test_tiers_sum_to_the_total(total: int, before: int, bounds: set[int], whole: bool) -> None:
    starts = [pl.Series([bound], dtype=INT128) for bound in (0, *sorted(bounds))]
    parts = [int(part[0]) for part in tier_parts(pl.Series([total]), pl.Series([before]), starts, whole_quantity=whole)]
    assert sum(parts) == total
    assert min(parts) >= 0


@settings(max_examples=30, deadline=None)
@given(
    kwh=st.integers(0, 3_000),
    bound=st.integers(1, 2_000),
    higher=st.integers(0, 500),
    scope=st.sampled_from(["per_period", "shared_prorated"]),
)
def test_a_higher_bound_never_raises_an_inclining_bill(kwh: int, bound: int, higher: int, scope: str) -> None:
    totals = []
    for start in (bound, bound + higher):
        version = version_of(f"""
            energy:
              tier_scope: {scope}
              prices: [{{item: Energy, per: 1 kWh, tiers: [{{from: 0 kWh, price: "0.1"}}, {{from: {start} kWh, price: "0.3"}}]}}]
        """)
        rows = pl.DataFrame([(0, 0, kilo(str(kwh)))], schema=ENERGY_SCHEMA, orient="row")
        totals.append(
            int(bill(version, Determinants(energy=rows, channels=channels(**{"import": str(kwh)}))).lines["amount_nano"].sum())
        )
    assert totals[1] <= totals[0]


big = st.integers(-(10**20), 10**20)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(big, st.integers(-(10**16), 10**16), st.integers(1, 10**14)), min_size=1, max_size=5),
    top=st.integers(1, 10**12), bottom=st.integers(1, 10**12), mode=st.sampled_from(MODES),
)  # fmt: skip
def test_rounded_products_are_exact_also_beyond_128_bits(
    rows: list[tuple[int, int, int]], top: int, bottom: int, mode: str
) -> None:
    one, two, over = (pl.Series(values, dtype=INT128) for values in zip(*rows, strict=True))
    scalar = Fraction(top, bottom)
    expected = [
        round_ratio(first * second * scalar.numerator, divisor * scalar.denominator, mode) for first, second, divisor in rows
    ]
    if max(abs(value) for value in expected) < 2**126:
        assert rounded_products([one, two], scalar, [over], mode).to_list() == expected


@settings(max_examples=60, deadline=None)
@given(amount=st.integers(-(10**15), 10**15), decimals=st.integers(0, 9), mode=st.sampled_from(MODES), step=st.integers(1, 10**7))
def test_lines_and_quantities_are_rounded_once(amount: int, decimals: int, mode: str, step: int) -> None:
    grid = 10 ** (9 - decimals)
    found = line_amounts([pl.Series([amount])], Fraction(1, 3), [], Rounding("line", mode, decimals))
    assert found.to_list() == [grid * round_ratio(amount, 3 * grid, mode)]
    assert to_step(pl.Series([amount]), StepRounding(mode, step)).to_list() == [step * round_ratio(amount, step, mode)]


@settings(max_examples=60, deadline=None)
@given(active=st.integers(0, 10**14), reactive=st.integers(0, 10**14))
def test_power_factor_and_roots(active: int, reactive: int) -> None:
    (found,) = power_factor_hundredths(pl.Series([active]), pl.Series([reactive])).to_list()
    square = active**2 + reactive**2
    if square:
        # found / 100 is the nearest hundredth: (2 found - 1) <= 200 A / S < 2 found + 1
        assert found == 0 or (2 * found - 1) ** 2 * square <= (200 * active) ** 2
        assert (2 * found + 1) ** 2 * square > (200 * active) ** 2
    (root,) = whole_roots(pl.Series([square], dtype=INT128)).to_list()
    assert root == 0 or (2 * root - 1) ** 2 <= 4 * square
    assert 4 * square < (2 * root + 1) ** 2


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(
        st.tuples(st.lists(st.integers(0, 10**12), min_size=1, max_size=6), st.integers(0, 10**12)), min_size=1, max_size=4
    )
)
def test_shares_sum_to_the_whole(groups: list[tuple[list[int], int]]) -> None:
    parts = pl.DataFrame(
        [(group, weight) for group, (weights, _) in enumerate(groups) for weight in weights],
        schema={"group": pl.Int32, "weight": pl.Int64}, orient="row",
    )  # fmt: skip
    whole = pl.DataFrame({"group": range(len(groups)), "whole": [whole for _, whole in groups]}).with_columns(
        pl.col("group").cast(pl.Int32)
    )
    share = parts.with_columns(share=split_by_shares(parts, whole, weight="weight"))
    for group, (weights, expected) in enumerate(groups):
        own = [int(value) for value in share.filter(pl.col("group") == group)["share"]]
        assert sum(own) == expected
        assert min(own) >= 0
        total = sum(weights)
        if total:
            assert all(abs(value - Fraction(expected * weight, total)) <= 1 for value, weight in zip(own, weights, strict=True))


@settings(max_examples=60, deadline=None)
@given(lots=st.lists(st.integers(1, 10**12), min_size=1, max_size=6), used=st.integers(0, 10**12))
def test_lots_are_spent_oldest_first_and_conserved(lots: list[int], used: int) -> None:
    rows = [(0, "", period, value) for period, value in enumerate(lots)]
    frame = pl.DataFrame(rows, schema={"group": pl.Int32, "name": pl.String, "period": pl.Int32, "value": INT128}, orient="row")
    spent = pl.DataFrame([(0, "", used)], schema={"group": pl.Int32, "name": pl.String, "used": INT128}, orient="row")
    left = dict(spend(frame, spent).select("period", "value").rows())
    assert sum(left.values()) == max(0, sum(lots) - used)
    untouched = [period for period, value in enumerate(lots) if left.get(period) == value]
    assert untouched == list(range(len(lots) - len(untouched), len(lots)))
