"""Gas: metered volume to energy, by correction to standard conditions and calorific value (reference: utility §4)."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.supply_terms import GasConversion, GasMethod
from rating.utility.exact import INT128, constant, rounded_products, times

_NANO = 10**9
_KELVIN_NANO = 273_150_000_000
_NEEDED = {
    GasMethod.FACTOR: (),
    GasMethod.PRESSURE: ("pressure_nano", "temperature_nano"),
    GasMethod.Z_NUMBER: ("temperature_nano", "ambient_nano"),
}


def correction_nano(rule: GasConversion, groups: pl.DataFrame) -> pl.Series:
    """The correction factor of each group in 10**-9, rounded half up to `correction_decimals` where the tariff says so.

    factor: the service's or the tariff's. pressure: (P bar / 1.01325)(288.15 K / T)/Z. z_number: 273.15/(273.15 + t) times
    (p_amb + p_eff - phi p_s)/1013.25 over K. Null where the service lacks a value; Z and K are 1 where not given.
    """
    unit = 10 ** (9 - (9 if rule.correction_decimals is None else rule.correction_decimals))
    if rule.method is GasMethod.FACTOR:
        found = _given(groups["correction_nano"], rule.correction_nano)
        return times(rounded_products([found], Fraction(1, unit)), unit)
    one = groups["compressibility_nano"].fill_null(_NANO).cast(INT128)
    temperature = groups["temperature_nano"].cast(INT128)
    if rule.method is GasMethod.PRESSURE:
        factors, divisors = [groups["pressure_nano"].cast(INT128)], [temperature, one]
        scalar = Fraction(288_150_000_000, 1_013_250_000) * Fraction(_NANO)
    else:
        pressure = groups["ambient_nano"].cast(INT128) + groups["gauge_nano"].fill_null(0) - groups["humidity_nano"].fill_null(0)
        factors, divisors = [pressure], [temperature + constant(temperature, _KELVIN_NANO), one]
        scalar = Fraction(_KELVIN_NANO, 1_013_250_000_000) * _NANO**2
    if rule.method is GasMethod.PRESSURE:
        scalar = scalar * _NANO
    return times(rounded_products(factors, scalar / unit, divisors), unit)


def energy_of_gas(rule: GasConversion, groups: pl.DataFrame, volume_ml: pl.Series) -> pl.Series:
    """Milliwatt-hours of a volume: volume x correction x calorific value (/ 3.6 for MJ), rounded as the tariff says.

    Args:
        volume_ml: by group, in order; a count of the register is `volume_ml` milliliters already.
    """
    calorific = _given(groups["calorific_nano"], rule.calorific_nano)
    per_mj = Fraction(10, 36) if rule.megajoule else Fraction(1)
    step = 1 if rule.quantity_rounding is None else rule.quantity_rounding.step
    mode = "half_up" if rule.quantity_rounding is None else rule.quantity_rounding.mode
    factors = [volume_ml, correction_nano(rule, groups), calorific]
    return times(rounded_products(factors, per_mj / (_NANO**2 * step), (), mode), step)


def _given(of_service: pl.Series, of_tariff: int | None) -> pl.Series:
    return (of_service if of_tariff is None else of_service.fill_null(of_tariff)).cast(INT128)


def missing_values(rule: GasConversion, groups: pl.DataFrame) -> pl.DataFrame:
    """[group, element, reason] of services without a value that the conversion needs."""
    wanted = [(name, pl.col(name).is_null()) for name in _NEEDED[rule.method]]
    if rule.calorific_nano is None:
        wanted.append(("calorific_nano", pl.col("calorific_nano").is_null()))
    if rule.method is GasMethod.FACTOR and rule.correction_nano is None:
        wanted.append(("correction_nano", pl.col("correction_nano").is_null()))
    found = [
        groups.filter(lacks).select(
            "group", element=pl.lit("gas"), reason=pl.lit(f"no {name.removesuffix('_nano')} of the service or the period")
        )
        for name, lacks in wanted
    ]
    schema = {"group": pl.Int32, "element": pl.String, "reason": pl.String}
    return pl.concat(found) if found else pl.DataFrame(schema=schema)
