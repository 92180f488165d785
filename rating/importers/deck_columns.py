"""Which column of a rate sheet means what: given by name or position, else guessed from the names that senders use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rating.language.yaml_places import close_match
from schemas.errors import ConfigurationError, Fault

# role -> normalized header names, the likeliest first. Noise words ("per minute", "USD") are dropped before the comparison.
KNOWN_NAMES: dict[str, tuple[str, ...]] = {
    "prefix": (
        *("prefix", "prefixes", "dialcode", "dialcodes", "dialingcode", "dialingcodes", "dialprefix", "destinationcode"),
        *("code", "codes", "areacode", "areacodes", "citycode", "citycodes", "breakout", "breakouts", "callingcode"),
    ),
    "country_code": ("countrycode", "countrycodes", "cc", "isdcode"),
    "name": (
        *("destination", "destinationname", "countrydestination", "destinationcountry", "name", "location", "description"),
        *("country", "countryname", "zone", "region", "area"),
    ),
    "price": ("price", "rate", "newrate", "newprice", "cost", "tariff", "callrate", "charge", "amount", "termrate"),
    "currency": ("currency", "curr", "ccy"),
    "increment": ("increment", "increments", "billingincrement", "billingincrements", "billing", "billingterms", "interval"),
    "first_increment": ("firstincrement", "initialincrement", "minduration", "minimumduration", "initial", "firstperiod"),
    "next_increment": ("nextincrement", "subsequentincrement", "additionalincrement", "nextperiod", "subsequent"),
    "included": ("included", "includedseconds", "freeseconds"),
    "connect_fee": (
        *("connectfee", "connectioncharge", "connectionfee", "connectcost", "connectcharge", "setup", "setupfee"),
        *("callsetup", "callsetupfee", "surcharge"),
    ),
    "effective": (
        *("effectivedate", "effective", "effectivefrom", "effectiveon", "validfrom", "startdate", "activationdate"),
        *("dateeffective", "from", "date"),
    ),
    "end": ("enddate", "effectiveto", "validto", "validuntil", "expirydate", "expirationdate", "expires", "till", "to"),
    "change": ("change", "changetype", "status", "ratechange", "changes", "action", "comment", "comments", "remark", "remarks"),
    "peak": ("peak", "peakrate", "peakprice", "ratepeak", "day", "dayrate"),
    "offpeak": ("offpeak", "offpeakrate", "offpeakprice", "rateoffpeak", "economy", "night", "nightrate"),
    "weekend": ("weekend", "weekendrate", "weekendprice", "rateweekend"),
}
_NOISE = frozenset(
    {"per", "min", "minute", "minutes", "mins", "usd", "eur", "gbp", "in", "s", "sec", "seconds", "a", "the", "of"}
)


def normalized(header: str) -> str:
    """`Rate (USD/min)` and `rate_per_min` are `rate`."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header).lower())
    return "".join(word for word in words if word not in _NOISE)


def guessed_columns(headers: Sequence[str]) -> dict[str, int]:
    """role -> column index; of several columns that could have a role the likeliest name, then the first column."""
    names = [normalized(header) for header in headers]
    found: dict[str, int] = {}
    for role, known in KNOWN_NAMES.items():
        for name in known:
            if name in names and names.index(name) not in found.values():
                found[role] = names.index(name)
                break
    if "prefix" not in found and "country_code" in found:
        found["prefix"] = found.pop("country_code")
    if "price" not in found and "offpeak" in found:
        found["price"] = found.pop("offpeak")
    return found


def given_columns(headers: Sequence[str], mapping: Mapping[str, str], where: str) -> dict[str, int]:
    """role -> column index as the user said it: a header's name, or `#3` for the third column.

    Raises:
        ConfigurationError: every unknown role, every column that is not there.
    """
    faults = []
    found: dict[str, int] = {}
    exact = {header.strip(): index for index, header in reversed(list(enumerate(headers)))}
    loose = {header.strip().lower(): index for index, header in reversed(list(enumerate(headers)))}
    for role, column in mapping.items():
        position = re.fullmatch(r"#([0-9]{1,3})", column)
        index = int(position[1]) - 1 if position else exact.get(column, loose.get(column.lower()))
        if role not in KNOWN_NAMES:
            faults.append(Fault("--map", "no such role of a column", repr(role), "", close_match(role, KNOWN_NAMES), "no_role"))
        elif index is None or not 0 <= index < len(headers):
            faults.append(Fault(where, "no such column", repr(column), "", close_match(column, exact), "no_column"))
        else:
            found[role] = index
    if faults:
        raise ConfigurationError(faults)
    return found
