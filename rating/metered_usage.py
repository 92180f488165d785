"""Metered usage as people have it, a frame of steps and register totals in any unit, into exact base units."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from rating.utility.exact import INT128
from schemas.errors import Fault, MeterlineError
from schemas.zones import instant_us

USAGE_COLUMNS = ("service", "period", "role", "item", "start_at", "step_s", "quantity", "unit")
STEPS: dict[str, pl.DataType | type[pl.DataType]] = {
    "service": pl.String,
    "role": pl.String,
    "start_at": pl.Int64,
    "step_us": pl.Int64,
    "quantity": pl.Int64,
}
TOTALS: dict[str, pl.DataType | type[pl.DataType]] = {
    "service": pl.String,
    "period": pl.String,
    "role": pl.String,
    "item": pl.String,
    "quantity": pl.Int64,
}
_ENERGY = {"Wh": 10**3, "kWh": 10**6, "MWh": 10**9}
_REACTIVE = {"varh": 10**3, "kvarh": 10**6, "Mvarh": 10**9}
_ROLE_UNITS = {
    "import": _ENERGY,
    "export": _ENERGY,
    "self_generation": _ENERGY,
    "reactive_import": _REACTIVE,
    "reactive_export": _REACTIVE,
    "volume": {"L": 10**3, "m3": 10**6},
    "demand": {"kW": 10**6, "MW": 10**9, "kVA": 10**6, "kvar": 10**6, "W": 10**3},
}
_FAULTS_SHOWN = 20
_NANO = 10**9


def read_metered_usage(usage: pl.DataFrame, *, register_ml: int = 1_000_000) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(steps, totals) of a frame of usage.

    Args:
        usage: role (import, export, reactive_import, reactive_export, self_generation, volume or demand), quantity (an integer
            or a decimal text) and unit; start_at (a datetime with zone, or ISO text with an offset) and step_s for steps, neither
            for a register total; optionally service, period (YYYY-MM of a total; without it that of the only period asked for)
            and item (the price that a total belongs to). The unit `count` of a volume is one count of the tariff's register.
        register_ml: milliliters of one count.
    Returns:
        [service, role, start_at, step_us, quantity] and [service, period, role, item, quantity], in base units.
    Raises:
        MeterlineError: missing columns, and all rows that cannot be read, each with its number.
    """
    missing = [name for name in ("role", "quantity", "unit") if name not in usage.columns]
    if missing:
        raise MeterlineError([Fault("usage", f"column {name} is missing") for name in missing])
    if usage["quantity"].dtype.is_float():
        raise MeterlineError(Fault("usage", "quantities as binary fractions", must_be="integers or decimal texts"))
    blank = [pl.lit("").alias(name) for name in USAGE_COLUMNS if name not in usage.columns]
    rows = usage.with_columns(blank).with_row_index("row", offset=1)
    rows = rows.with_columns(pl.col("service", "period", "role", "item", "unit").cast(pl.String).fill_null("").str.strip_chars())
    rows, faults = _with_quantities(rows, register_ml)
    starts = [_instant(value) for value in rows["start_at"].to_list()]
    step_s = rows["step_s"].cast(pl.String).fill_null("").replace("", None).cast(pl.Int64, strict=False)
    rows = rows.with_columns(pl.Series("at", starts, dtype=pl.Int64), step_us=step_s * 1_000_000)
    timed = pl.col("start_at").cast(pl.String).fill_null("") != ""
    wrong = (
        (timed & pl.col("at").is_null(), "start_at is no instant with an offset"),
        (timed & ~(pl.col("step_us") > 0).fill_null(False), "a step without its length in seconds (step_s)"),
        (timed & (pl.col("role") == "demand"), "demand by step; it is measured from import"),
    )
    for holds, what in wrong:
        faults += [Fault(f"usage row {row}", what) for row in rows.filter(holds)["row"].to_list()]
    if faults:
        more = [Fault("usage", f"{len(faults) - _FAULTS_SHOWN} more rows cannot be used")] if len(faults) > _FAULTS_SHOWN else []
        raise MeterlineError([*faults[:_FAULTS_SHOWN], *more])
    steps = rows.filter(timed).select("service", "role", start_at="at", step_us="step_us", quantity="base")
    return steps.select(STEPS.keys()), rows.filter(~timed).select("service", "period", "role", "item", quantity="base")


def _with_quantities(rows: pl.DataFrame, register_ml: int) -> tuple[pl.DataFrame, list[Fault]]:
    """The rows with `base`, their quantity in base units, exactly; and a fault for each that has none."""
    units = [
        (role, unit, scale)
        for role, of_role in _ROLE_UNITS.items()
        for unit, scale in (of_role | ({"count": register_ml} if role == "volume" else {})).items()
    ]
    known = pl.DataFrame(units, schema={"role": pl.String, "unit": pl.String, "scale": INT128}, orient="row")
    text = pl.col("quantity").cast(pl.String).str.strip_chars()
    parts = text.str.extract_groups(r"^(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?$")
    rows = rows.join(known, on=["role", "unit"], how="left", maintain_order="left").with_columns(parts.alias("parts"))
    rows = rows.with_columns(
        sign=pl.col("parts").struct.field("1"),
        whole=pl.col("parts").struct.field("2").cast(INT128),
        part=pl.col("parts").struct.field("3").fill_null("").str.pad_end(9, "0").cast(INT128),
    )
    size = (pl.col("whole") * _NANO + pl.col("part")) * pl.col("scale")
    rows = rows.with_columns(exact=size // _NANO, rest=size % _NANO)
    negative = pl.lit(0, dtype=INT128) - pl.col("exact")
    rows = rows.with_columns(base=pl.when(pl.col("sign") == "-").then(negative).otherwise("exact"))
    wrong = (
        (~pl.col("role").is_in(list(_ROLE_UNITS)), "no such role", "role", " or ".join(_ROLE_UNITS)),
        (pl.col("role").is_in(list(_ROLE_UNITS)) & pl.col("scale").is_null(), "not a unit of this role", "unit", ""),
        (pl.col("whole").is_null(), "not a quantity", "quantity", "a decimal number"),
        ((pl.col("rest") != 0).fill_null(False), "not a whole number of base units", "quantity", ""),
    )
    faults = [
        Fault(f"usage row {row}", what, repr(was), must_be)
        for holds, what, column, must_be in wrong
        for row, was in rows.filter(holds).select("row", column).iter_rows()
    ]
    return rows.with_columns(pl.col("base").cast(pl.Int64, strict=False)), faults


def _instant(value: object) -> int | None:
    if value is None or value == "":
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return None if moment.tzinfo is None else instant_us(moment)
