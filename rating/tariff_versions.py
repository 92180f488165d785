"""One version of a tariff by itself: for trials and comparisons, where it prices whatever the date."""

from __future__ import annotations

import dataclasses

from rating.language.shared_terms import FOREVER_AT
from rating.language.tariff import Tariff
from rating.language.yaml_places import close_match
from schemas.errors import ConfigurationError, Fault


def only_version(tariff: Tariff, label: str) -> Tariff:
    """The tariff with this version only.

    Raises:
        ConfigurationError: no version has this label.
    """
    found = tuple(version for version in tariff.versions if version.label == label)
    if not found:
        labels = [version.label for version in tariff.versions]
        where, next_step = tariff.where or tariff.tariff_id, close_match(label, labels)
        raise ConfigurationError(Fault(where, "no such version", repr(label), next_step=next_step, code="unknown_version"))
    return dataclasses.replace(tariff, versions=found)


def always_in_force(tariff: Tariff, label: str) -> Tariff:
    """The tariff with this version only, in force at all times; its windows and dates stay what they are.

    Raises:
        ConfigurationError: no version has this label.
    """
    alone = only_version(tariff, label)
    version = dataclasses.replace(alone.versions[0], effective_from_at=0, effective_to_at=FOREVER_AT)
    return dataclasses.replace(alone, versions=(version,))
