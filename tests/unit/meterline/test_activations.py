"""When a service's first contract started, for each of its assignments: what new-customer discounts count from."""

from __future__ import annotations

import numpy as np

from meterline.close.call_fold import _activations


def test_each_assignment_has_the_start_of_its_service() -> None:
    services = np.array(["a", "a", "b", "c", "c", "c"], dtype=object)
    starts = np.array([10, 20, 5, 7, 8, 9], dtype=np.int64)
    assert _activations(services, starts).tolist() == [10, 10, 5, 7, 7, 7]
    assert _activations(services[:0], starts[:0]).tolist() == []
