"""What a utility bill is made from: services and their days, determinants, and the state that is carried from month to month.

Everything is a frame with `group`, a number for one service in one tariff version's part of one billing period. Quantities are
base units (milliwatt-hours, milliliters, millivar-hours; milliwatts, millivolt-amperes, millivars), instants microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from rating.utility.exact import INT128

Schema = dict[str, pl.DataType | type[pl.DataType]]

GROUP_SCHEMA: Schema = {
    "group": pl.Int32,
    "from_at": pl.Int64,  # the part of the period in force, half-open
    "to_at": pl.Int64,
    "days": pl.Int32,  # local days in force
    "paused_days": pl.Int32,
    "is_first": pl.Boolean,  # the service's first part in the period: takes what is due once
    "is_last": pl.Boolean,  # its last part: settles what is settled once
    # terms of the service; null where not given
    "installed_milliva": pl.Int64,
    "contract_milliw": pl.Int64,
    "area": pl.Int64,  # square millimeters
    "option": pl.String,
    "transformer": pl.String,
    "shifts": pl.Int32,
    "power_factor_standard": pl.String,
    "meter_size": pl.String,
    "bound_extra": pl.Int64,  # added to the bounds of ladders of several months (a larger household)
    "calorific_nano": pl.Int64,  # MJ/m3 or kWh/m3 as the tariff says
    "correction_nano": pl.Int64,
    "pressure_nano": pl.Int64,  # absolute, bar
    "temperature_nano": pl.Int64,  # kelvin for `pressure`, degrees Celsius for `z_number`
    "compressibility_nano": pl.Int64,  # Z or K
    "ambient_nano": pl.Int64,  # mbar
    "gauge_nano": pl.Int64,  # mbar
    "humidity_nano": pl.Int64,  # mbar
}
STATE_SCHEMA: Schema = {
    "group": pl.Int32,
    "topic": pl.String,  # peak, credit_quantity, credit_nano, ladder, minimum_nano, use
    "name": pl.String,  # the element, or the pool of a credit
    "period": pl.Int32,  # when it was: the period's number (months since year 0)
    "value": INT128,
}
ENERGY_SCHEMA: Schema = {"group": pl.Int32, "price_index": pl.Int32, "quantity": pl.Int64}
TIERED_SCHEMA: Schema = {"group": pl.Int32, "price_index": pl.Int32, "tier": pl.Int32, "quantity": pl.Int64}
STEP_SCHEMA: Schema = {
    "group": pl.Int32,
    "price_index": pl.Int32,
    "start_at": pl.Int64,
    "step_us": pl.Int64,
    "quantity": pl.Int64,
}
DEMAND_SCHEMA: Schema = {
    "group": pl.Int32,
    "demand_index": pl.Int32,
    "rank": pl.Int32,  # 1 is the highest
    "peak": pl.Int64,  # milli-units of the price's unit
    "peak_at": pl.Int64,  # start of the window; null where only a total was given
    "windows_missing": pl.Int32,
}
CHANNEL_SCHEMA: Schema = {"group": pl.Int32, "role": pl.String, "quantity": pl.Int64}
DYNAMIC_SCHEMA: Schema = {
    "group": pl.Int32,
    "dynamic_index": pl.Int32,
    "quantity": pl.Int64,
    "numerator": INT128,  # sum of milliwatt-hours x nano-price, over the price's `per`
    "steps_missing": pl.Int32,  # steps without a price: the group is refused
}
REFUSAL_SCHEMA: Schema = {"group": pl.Int32, "element": pl.String, "reason": pl.String}
REACTIVE_PEAK_SCHEMA: Schema = {"group": pl.Int32, "peak": pl.Int64, "active": pl.Int64}  # highest kvar, highest kW
ROLES = ("import", "export", "reactive_import", "reactive_export", "self_generation", "volume")


@dataclass(frozen=True, slots=True)
class BilledMonth:
    """The billing period: its number (months since year 0), local days, and the days of its calendar year."""

    number: int
    days: int
    year_days: int

    @property
    def month(self) -> int:
        return self.number % 12 + 1

    def ladder_start(self, months: int, first_month: int) -> int:
        """The number of the period in which a ladder of `months` that starts in `first_month` last began."""
        return self.number - (self.number - (first_month - 1)) % months


def _empty(schema: Schema) -> pl.DataFrame:
    return pl.DataFrame(schema=schema)


@dataclass(frozen=True)
class Determinants:
    """The billing determinants of one tariff version's groups, out of intervals or registers."""

    energy: pl.DataFrame = field(default_factory=lambda: _empty(ENERGY_SCHEMA))  # import by energy price
    steps: pl.DataFrame | None = None  # the same by interval, for tiers in time order
    tiered: pl.DataFrame | None = None  # the same cut into tiers already, with the bounds of `ladder_bounds`
    export: pl.DataFrame = field(default_factory=lambda: _empty(ENERGY_SCHEMA))  # by credit price; net metering: by energy price
    demand: pl.DataFrame = field(default_factory=lambda: _empty(DEMAND_SCHEMA))
    channels: pl.DataFrame = field(default_factory=lambda: _empty(CHANNEL_SCHEMA))
    dynamic: pl.DataFrame = field(default_factory=lambda: _empty(DYNAMIC_SCHEMA))
    reactive_peak: pl.DataFrame = field(default_factory=lambda: _empty(REACTIVE_PEAK_SCHEMA))
    refused: pl.DataFrame = field(default_factory=lambda: _empty(REFUSAL_SCHEMA))  # found while measuring


def groups_frame(rows: Mapping[str, list[object]]) -> pl.DataFrame:
    """Groups out of the columns that are given; others are null, no days paused, and each group its service's only part."""
    given = pl.DataFrame(dict(rows), schema={name: GROUP_SCHEMA[name] for name in rows})
    defaults: dict[str, object] = {"paused_days": 0, "is_first": True, "is_last": True, "from_at": 0, "to_at": 0}
    missing = [pl.lit(defaults.get(name), dtype=kind).alias(name) for name, kind in GROUP_SCHEMA.items() if name not in rows]
    return given.with_columns(missing).select(GROUP_SCHEMA.keys())


def no_state() -> pl.DataFrame:
    return _empty(STATE_SCHEMA)


def by_group(groups: pl.DataFrame, found: pl.DataFrame, column: str) -> pl.Series:
    """A column of a frame with one row for some groups, in the order of `groups`; null for those that have none."""
    asked = groups.select("group").with_row_index("row")
    return asked.join(found.select("group", column), on="group", how="left").sort("row")[column]


def sums_by_group(groups: pl.DataFrame, found: pl.DataFrame, column: str) -> pl.Series:
    """The sum of a column over each group's rows, zero for none, in the order of `groups`."""
    sums = found.group_by("group").agg(pl.col(column).cast(INT128).sum())
    return by_group(groups, sums, column).fill_null(0).cast(INT128)


def channel_sums(groups: pl.DataFrame, channels: pl.DataFrame, *roles: str) -> pl.Series:
    return sums_by_group(groups, channels.filter(pl.col("role").is_in(list(roles))), "quantity")
