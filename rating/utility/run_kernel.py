"""The one pass over meter values: check, energy and peaks of a few groups at a time, so that their values stay in the cache."""

from __future__ import annotations

import numpy as np

from rating.utility.demand_kernel import find_peaks
from rating.utility.energy_kernel import check_values, sum_energy
from schemas.kernels import kernel

_BLOCK_VALUES = 2**15


@kernel()
def read_runs(group, count, check, with_energy, energy, with_demand, demand):  # type: ignore[no-untyped-def]
    """`check_values`, `sum_energy` and `find_peaks` over blocks of whole groups; check, energy, demand: their further arguments.

    Returns (energy rows, demand rows).
    """
    energy_rows, demand_rows, groups = np.int64(0), np.int64(0), np.int64(0)
    low = np.int64(0)
    while low < len(group):
        high, held = low, np.int64(0)
        while high < len(group) and (held < _BLOCK_VALUES or group[high] == group[high - 1]):
            held += count[high]
            high += 1
        check_values(low, high, *check)
        if with_energy:
            energy_rows = sum_energy(low, high, energy_rows, *energy)
        if with_demand:
            demand_rows, groups = find_peaks(low, high, demand_rows, groups, *demand)
        low = high
    return energy_rows, demand_rows
