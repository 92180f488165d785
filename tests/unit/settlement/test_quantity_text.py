"""Quantities as people read them."""

from __future__ import annotations

import pytest

from settlement.quantity_text import quantity_text
from settlement.taxes import rate_text


@pytest.mark.parametrize(
    ("quantity", "unit", "text"),
    [
        (0, "ms", "0 s"),
        (1, "ms", "0.001 s"),
        (60_000, "ms", "1 min"),
        (7_965_000, "ms", "2 h 12 min 45 s"),
        (3_600_000, "ms", "1 h"),
        (3_601_250, "ms", "1 h 1.25 s"),
        (-90_000, "ms", "-1 min 30 s"),
        (0, "bytes", "0 bytes"),
        (999, "bytes", "999 bytes"),
        (1_500, "bytes", "1.5 kB"),
        (1_500_000, "bytes", "1.5 MB"),
        (123_456_789_012, "bytes", "123.456789012 GB"),
        (1, "milliwh", "0.000001 kWh"),
        (120_000_000, "milliwh", "120 kWh"),
        (-2_500_000, "milliwh", "-2.5 kWh"),
        (10**30 + 1, "milliwh", "1000000000000000000000000.000001 kWh"),
        (5, "millivarh", "0.000005 kvarh"),
        (1_250_000, "ml", "1.25 m3"),
        (7, "count", "7"),
        (100, "count", "100"),
        (1, "days", "1 day"),
        (10, "days", "10 days"),
        (3, "widgets", "3 widgets"),
    ],
)
def test_quantity_text(quantity: int, unit: str, text: str) -> None:
    assert quantity_text(quantity, unit) == text


@pytest.mark.parametrize(
    ("ppm", "text"), [(190_000, "19 %"), (77_000, "7.7 %"), (0, "0 %"), (1, "0.0001 %"), (1_000_000, "100 %")]
)
def test_rate_text(ppm: int, text: str) -> None:
    assert rate_text(ppm) == text
