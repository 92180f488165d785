"""Import minus export by netting interval: two columns, one of them zero in each interval, that kernels read as any other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rating.utility.meter_runs import MeterRuns
from schemas.errors import Fault, MeterlineError
from schemas.kernels import kernel


@kernel()
def _net(first_import, first_export, first_out, count, steps, imported, exported, net_import, net_export):  # type: ignore[no-untyped-def]
    """The net of every `steps` steps, at the first; -1 where a value is negative, so that the run is refused."""
    for run in range(len(count)):
        for start in range(0, count[run], steps[run]):
            balance = np.int64(0)
            is_negative = False
            for n in range(start, start + steps[run]):
                taken, given = imported[first_import[run] + n], exported[first_export[run] + n]
                is_negative = is_negative or taken < 0 or given < 0
                balance += taken - given
                net_import[first_out[run] + n] = 0
                net_export[first_out[run] + n] = 0
            net_import[first_out[run] + start] = -1 if is_negative else max(balance, 0)
            net_export[first_out[run] + start] = -1 if is_negative else max(-balance, 0)


def net_of(imported: MeterRuns, exported: MeterRuns, *, netting_us: int = 0) -> tuple[MeterRuns, MeterRuns]:
    """(net import, net export) of services whose two channels have equal runs.

    Args:
        netting_us: the netting interval, 0: each step by itself. Its net counts where the interval starts. Runs hold whole
            intervals; to net over a period, subtract its sums.
    Raises:
        MeterlineError: channels with other runs or another scale, a run that cuts a netting interval.
    """
    names = ("group", "tariff_index", "start_at", "step_us", "count", "scale")
    for name in names:
        left, right = getattr(imported, name), getattr(exported, name)
        if len(left) != len(right) or (left != right).any():
            raise MeterlineError(Fault("net_of", f"channels differ in {name}", must_be="equal runs of import and export"))
    span = np.maximum(imported.step_us, netting_us)
    steps = span // imported.step_us
    cuts = (span % imported.step_us != 0) | (imported.count % steps != 0)
    if netting_us:
        cuts |= imported.start_at % netting_us != 0
    if cuts.any():
        row = int(np.argmax(cuts))
        raise MeterlineError(
            Fault(f"net_of run {row}", "the run cuts a netting interval", f"{int(imported.count[row])} steps", "whole intervals")
        )
    first = np.concatenate([[0], np.cumsum(imported.count, dtype=np.int64)])
    net_import, net_export = np.empty(int(first[-1]), dtype=np.int64), np.empty(int(first[-1]), dtype=np.int64)
    _net(
        imported.first_value, exported.first_value, first[:-1].copy(), imported.count, steps, imported.values, exported.values,
        net_import, net_export,
    )  # fmt: skip
    own = replace(imported, first_value=first[:-1].copy(), values=net_import)
    return own, replace(own, values=net_export)
