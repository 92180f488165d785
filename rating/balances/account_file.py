"""Balances as people write them: a YAML file of one account, or of accounts that share balances."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from rating.balances.balance_values import ALWAYS_FROM_AT, KIND_NAMES, Balance
from rating.balances.layout import MONEY
from rating.language.read_allowances import TERM_KEYS, read_pay_terms, read_units
from rating.language.shared_terms import FOREVER_AT
from rating.language.tariff import Tariff
from rating.language.written_values import WEIGHT_MAX, boolean, instant_at, whole
from rating.language.yaml_places import Fields, Place, compose_file
from schemas.errors import ConfigurationError, Fault
from schemas.money import NANO

DEFAULT_ID = "default"
_ACCOUNT_KEYS = ("balances", "account", "groups", "tariffs")
_BALANCE_KEYS = ("priority", "owner", "group", "valid_from", "valid_to", "granted_at", "default", "credit_limit")
_MONEY = re.compile(r"-?[0-9]{1,27}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class AccountFile:
    """What a file says: the account that usage without a name belongs to, balances, share groups (account -> group), tariffs of
    priced bundles (paths beside the file), and for each balance where it stands."""

    account: str
    balances: tuple[Balance, ...]
    shares: dict[str, str]
    tariff_files: tuple[Path, ...]
    tariffs_named: tuple[tuple[str, str], ...] = ()  # where a balance names the tariff of a bundle, and which

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account that is named: the file's own, members of groups, owners of balances."""
        owners = (balance.owner for balance in self.balances if balance.owner)
        return tuple(dict.fromkeys((self.account, *self.shares, *owners)))


def load_account(path: Path, tariff: Tariff) -> AccountFile:
    """The balances in a file; destinations and windows are those of the tariff. A default money balance is added for each account
    that has none: it appears when an account goes below zero.

    Raises:
        ConfigurationError: all faults of the file, each with file, line and path.
    """
    faults: list[Fault] = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        what = f"the file cannot be read: {cause.strerror if isinstance(cause, OSError) else 'not UTF-8'}"
        raise ConfigurationError(Fault(str(path), what, next_step="check the path", code="not_readable")) from cause
    top = compose_file(text, str(path), faults, "an account's balances")
    found = _read(top, path.parent, tariff) if top else None
    if faults or found is None:
        in_order = sorted(faults, key=lambda fault: _line(fault, str(path)))
        raise ConfigurationError([replace(one, code="bad_account") if one.code == "bad_tariff" else one for one in in_order])
    return found


def _line(fault: Fault, file: str) -> int:
    match = re.match(r":([0-9]+)", fault.where[len(file) :])
    return int(match[1]) if match else 0


def _read(top: Place, folder: Path, tariff: Tariff) -> AccountFile:
    fields = top.fields(("balances",), _ACCOUNT_KEYS)
    account = fields.text("account", "account")
    shares = _shares(fields.get("groups"))
    tariffs_place, balances_place = fields.get("tariffs"), fields.get("balances")
    files = [item.text() for item in tariffs_place.items("leave the key out if there are none")] if tariffs_place else []
    found: dict[str, Balance] = {}
    named: list[tuple[str, str]] = []
    for item in balances_place.items("a balance may have the value 0") if balances_place else []:
        balance = _balance(item, account, shares, tariff)
        if balance and balance.balance_id in found:
            item.fault("a balance of this id is there twice", was=repr(balance.balance_id), must_be="one id for one balance")
        if balance and balance.default and any(one.default and one.owner == balance.owner for one in found.values()):
            item.fault("a second default money balance", was=f"of {balance.owner}", must_be="one for each account")
        if balance:
            found[balance.balance_id] = balance
        if balance and balance.terms.tariff_id:
            named.append((item.where, balance.terms.tariff_id))
    balances = (*found.values(), *_defaults(account, shares, found))
    return AccountFile(account, balances, shares, tuple(folder / name for name in files if name), tuple(named))


def _shares(place: Place | None) -> dict[str, str]:
    """account -> its share group, of `groups: {family: [me, you]}`."""
    shares: dict[str, str] = {}
    for group, _, members in place.pairs() if place else []:
        for item in members.items("leave the group out if it has none"):
            member = item.text()
            if member in shares:
                item.fault("an account in two groups", was=repr(member), must_be="one group for one account")
            elif member:
                shares[member] = group
    return shares


def _balance(place: Place, account: str, shares: dict[str, str], tariff: Tariff) -> Balance | None:
    before = len(place.faults)
    fields = place.fields(("id", "kind", "value"), (*_BALANCE_KEYS, *TERM_KEYS))
    kind_place, group_place = fields.get("kind"), fields.get("group")
    label = kind_place.choice(KIND_NAMES) if kind_place else None
    destinations = {to.name for version in tariff.versions for to in version.destinations}
    windows = {window.name for version in tariff.versions for window in version.windows}
    rates = {rate.name: (rate, None) for version in tariff.versions for rate in version.rates}
    terms = read_pay_terms(fields, label, destinations, windows, rates)
    kind = KIND_NAMES.index(label) if label else -1
    value = None
    if label:
        value = _money(fields.get("value"), negative=True) if kind == MONEY else read_units(fields.get("value"), label)
    group = group_place.reference(set(shares.values()), "group") if group_place else None
    owner = fields.text("owner", "" if group else account)
    limit = _money(fields.get("credit_limit"))
    is_default = boolean(fields.get("default"), False)
    _refuse_mixtures(fields, kind, group, is_default)
    low, high, granted = (_instant(fields.get(key), tariff.zone) for key in ("valid_from", "valid_to", "granted_at"))
    ends = fields.get("valid_to")
    if ends and high is not None and low is not None and high <= low:
        ends.fault("it ends before it starts", was=ends.text() or "", must_be="later than valid_from")
    priority = whole(fields.get("priority"), -WEIGHT_MAX, WEIGHT_MAX) or 0
    if value is None or not fields.text("id") or len(place.faults) > before:
        return None
    return Balance(
        fields.text("id"), owner, kind, value, priority, ALWAYS_FROM_AT if low is None else low,
        FOREVER_AT if high is None else high, granted or 0, terms, group or "", is_default, int(limit or 0),
    )  # fmt: skip


def _refuse_mixtures(fields: Fields, kind: int, group: str | None, is_default: bool) -> None:
    for key, wrong, must_be in (
        ("default", is_default and kind != MONEY, "on a balance of money"),
        ("credit_limit", not is_default, "on a balance with default: true"),
        ("member_cap", not group, "on a balance of a group"),
        ("share_order", not group, "on a balance of a group"),
    ):
        place = fields.get(key)
        if place and wrong:
            place.fault(f"{key} in the wrong place", must_be=must_be)
    default = fields.get("default")
    if default and is_default and group:
        default.fault("a default money balance of a group", must_be="of one account")


def _instant(place: Place | None, zone: str) -> int | None:
    return instant_at(place, zone) if place else None


def _money(place: Place | None, *, negative: bool = False) -> Fraction | None:
    """Nano-units of a quoted decimal of any size that an account may hold."""
    if place is None or (text := place.text()) is None:
        return None
    if not place.is_quoted:
        place.fault("an amount is not quoted", was=text, must_be=f'"{text}"', next_step="quote it, so that no digit is lost")
        return None
    if not _MONEY.fullmatch(text) or (text.startswith("-") and not negative):
        must_be = 'a decimal of at most nine places such as "10.00"' + ("" if negative else ", not negative")
        place.fault("not an amount", was=repr(text), must_be=must_be)
        return None
    return Fraction(text) * NANO


def _defaults(account: str, shares: dict[str, str], found: dict[str, Balance]) -> list[Balance]:
    """A default money balance at zero for each account that has none."""
    accounts = dict.fromkeys([account, *shares, *(balance.owner for balance in found.values() if balance.owner)])
    served = {balance.owner for balance in found.values() if balance.default}
    first = DEFAULT_ID if DEFAULT_ID not in found else f"{DEFAULT_ID} {account}"
    return [
        Balance(first if owner == account else f"{DEFAULT_ID} {owner}", owner, MONEY, Fraction(0), default=True)
        for owner in accounts
        if owner not in served
    ]
