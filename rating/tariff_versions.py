"""One version of a tariff by itself: for trials and comparisons, where it prices whatever the date."""

from __future__ import annotations

import dataclasses

from rating.language.shared_terms import FOREVER_AT
from rating.language.tariff import Tariff
from rating.language.yaml_places import close_match
from schemas.errors import ConfigurationError, Fault


def always_in_force(tariff: Tariff, label: str) -> Tariff:
    """The tariff with this version only, in force at all times; its windows and dates stay what they are.

    Raises:
        ConfigurationError: no version has this label.
    """
    found = next((version for version in tariff.versions if version.label == label), None)
    if found is None:
        labels = [version.label for version in tariff.versions]
        raise ConfigurationError(
            Fault(
                tariff.where or tariff.tariff_id,
                "no such version",
                repr(label),
                next_step=close_match(label, labels),
                code="unknown_version",
            )
        )
    version = dataclasses.replace(found, effective_from_at=0, effective_to_at=FOREVER_AT)
    return dataclasses.replace(tariff, versions=(version,))
