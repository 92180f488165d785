"""Which channels of a meter a tariff bills: import always, export and reactive energy where its version uses them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rating.language.supply_terms import Supply
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import Commodity, PowerUnit
from schemas.channels import ChannelRole
from schemas.quantities import UsageKind

_REACTIVE = ChannelRole.REACTIVE_IMPORT.bit | ChannelRole.REACTIVE_EXPORT.bit


def roles_of(version: TariffVersion) -> int:
    """The set of roles (bits of `ChannelRole`) that a version bills."""
    supply = version.supply
    found = ChannelRole.IMPORT.bit
    if supply.export is not None:
        found |= ChannelRole.EXPORT.bit
    by_formula = (
        supply.losses is not None and supply.losses.transformer is not None and supply.losses.transformer.method == "formula"
    )
    if supply.power_factor is not None or by_formula or any(price.unit is not PowerUnit.KW for price in supply.demand):
        found |= _REACTIVE
    return found


def import_kind(supply: Supply) -> UsageKind:
    """What the import of a commodity is measured in."""
    return UsageKind.LIQUID if supply.commodity in (Commodity.GAS, Commodity.WATER) else UsageKind.ENERGY


def billed_roles(
    tariffs: Sequence[Tariff], tariff_index: npt.NDArray[np.int32], at: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """What the tariffs in force bill.

    Args:
        tariffs: in the order of a book. tariff_index: i4[n], -1 without a tariff. at: i8[n] microseconds UTC.
    Returns:
        roles: u1[n], bits of `ChannelRole`; import alone where no version is in force. kind: u1[n], the `UsageKind` of import.
        by_price: bool[n], whether import needs an energy price at each instant (a tariff of dynamic prices has none).
    """
    roles = np.full(len(at), ChannelRole.IMPORT.bit, np.uint8)
    kind = np.full(len(at), UsageKind.ENERGY, np.uint8)
    by_price = np.ones(len(at), np.bool_)
    for index in np.unique(tariff_index[tariff_index >= 0]).tolist():
        rows = np.flatnonzero(tariff_index == index)
        versions = tariffs[index].versions
        place = np.searchsorted([version.effective_from_at for version in versions], at[rows], side="right") - 1
        held = (place >= 0) & (at[rows] < np.array([version.effective_to_at for version in versions])[place])
        rows, place = rows[held], place[held]
        roles[rows] = np.array([roles_of(version) for version in versions], np.uint8)[place]
        kind[rows] = np.array([import_kind(version.supply) for version in versions], np.uint8)[place]
        by_price[rows] = np.array([bool(version.energy) or not version.supply.dynamic for version in versions])[place]
    return roles, kind, by_price
