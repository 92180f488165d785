"""Balances as flat arrays for the walk, and their state: a table says what may pay, the state what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

import numpy as np
import numpy.typing as npt

from rating.balances.balance_values import ALWAYS_FROM_AT, Balance
from rating.balances.layout import (
    BLOCKER,
    BUNDLE,
    DEFAULT,
    FEE_TOO,
    GENERIC,
    MONEY,
    TERM_WORDS,
    UNLIMITED,
    Ints,
    Left,
    Lines,
    Payers,
)
from rating.compiled.book import BookRule, TariffBook
from rating.compiled.payer_filters import CATEGORIES_MAX, category_codes, match_lengths, window_borders
from rating.compiled.price_terms import PriceTerms, price_terms
from rating.compiled.rule_layout import NEVER
from rating.language.call_terms import PayTerms
from rating.language.tariff import Tariff
from schemas.errors import ConfigurationError, Fault
from schemas.quantities import UsageKind

SHARE_ORDERS = ("own_first", "lowest", "highest")
VALUE_MAX = 2**60  # beyond it a state is kept in Python integers and walked so
_DEN_MAX = 2**30
_TAIL_US = 40 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class BalanceState:
    """What moves: value and use of each balance in 1/den units, and what members used of capped ones in this period."""

    value: Ints
    used: Ints
    member_used: Ints

    def copy(self) -> BalanceState:
        return BalanceState(self.value.copy(), self.used.copy(), self.member_used.copy())

    @property
    def left(self) -> Left:
        return Left(self.value, self.used, self.member_used)


@dataclass(frozen=True, slots=True)
class BalanceTable:
    """Balances compiled for a book.

    Rows follow (settlement group, priority, valid_to, granted_at, id); one more row stands behind them for the bill. `rules` are
    those of `prices`: the book's, then the rates of priced bundles.
    """

    payers: Payers
    prices: PriceTerms
    rules: tuple[BookRule, ...]
    start_value: Ints
    members: int  # counters of capped balances
    largest: int  # balances of the largest settlement group
    balances: tuple[Balance, ...] = ()  # by row, where the table was made of them
    accounts: tuple[str, ...] = ()
    categories: Mapping[str, int] = None  # type: ignore[assignment]

    def start(self) -> BalanceState:
        """The state in which nothing was used yet."""
        kind = self.start_value.dtype
        return BalanceState(self.start_value.copy(), np.zeros(len(self.start_value), kind), np.zeros(self.members, kind))

    def value(self, state: BalanceState, row: int) -> Fraction:
        """What a balance holds, in base units, generic units or nano-units."""
        return Fraction(int(state.value[row]), self.den(row))

    def den(self, row: int) -> int:
        return int(self.payers.terms[self.payers.term[row], TERM_WORDS - 1])


def book_lines(book: TariffBook) -> Lines:
    """The arrays of a book by which the walk finds rules."""
    return Lines(*book.span, book.timelines.index, book.timelines.segment, book.cell_of, book.choices)


def term_row(
    kind: int, terms: PayTerms, *, is_default: bool, filter_row: int, categories: int, window: int, tariff: int, rule: int
) -> list[int]:
    """One row of `Payers.terms`.

    Raises:
        ConfigurationError: factors or blocks so large that a block leaves int64.
    """
    is_bundle = tariff >= 0 or rule >= 0
    flags = terms.blocker * BLOCKER | terms.unlimited * UNLIMITED | is_default * DEFAULT
    flags |= terms.fee_with_allowance * FEE_TOO | is_bundle * BUNDLE
    factor = Fraction(*terms.factor)
    each: dict[int, Fraction] = {}
    if kind == GENERIC:
        each = {int(of): factor / usage for of, usage in terms.per_unit}
    elif kind != MONEY:
        each = {kind: factor}
    den = lcm(1, *(one.denominator for one in each.values()))
    blocks, takes = [0, 0, 0], [0, 0, 0]
    for of, one in each.items():
        blocks[of] = terms.block if terms.block and kind != GENERIC else (1000 if of == UsageKind.VOICE else 1)
        takes[of] = int(one * den) * (1 if is_bundle else blocks[of])
    if den > _DEN_MAX or max(takes) > VALUE_MAX:
        what = "a factor and a block that give no number the balance can be kept in"
        raise ConfigurationError(Fault("balance", what, must_be=f"denominators below {_DEN_MAX}"))
    cap = NEVER if terms.member_cap is None else min(terms.member_cap * den, NEVER)
    order = SHARE_ORDERS.index(terms.share_order)
    return [kind, flags, *blocks, *takes, filter_row, categories, window, tariff, rule, cap, order, den]


def windows_as_arrays(borders: Sequence[npt.NDArray[np.int64]]) -> tuple[Ints, Ints]:
    """(window_first, window_at) of `Payers`."""
    first = np.cumsum([0, *(len(one) for one in borders)], dtype=np.int64)
    return first, np.concatenate([*borders, np.zeros(0, np.int64)]).astype(np.int64)


def category_bits(names: Sequence[str] | None, codes: Mapping[str, int]) -> int:
    return 0 if names is None else sum(1 << codes[name] for name in names)


def compile_balances(
    book: TariffBook,
    balances: Sequence[Balance],
    *,
    accounts: Mapping[str, str],
    shares: Mapping[str, str] | None = None,
    home: Tariff | None = None,
) -> BalanceTable:
    """The table of some accounts' balances.

    Args:
        accounts: account -> settlement group: what draws on one balance lies in one group. Order gives `account_index`.
        shares: account -> share group, for those that have one.
        home: the tariff whose destinations and windows the balances name; the book's only one if left out.
    Raises:
        ConfigurationError: names that nothing defines, two balances of one id, too many categories: all at once.
    """
    of = home or book.tariffs[0]
    names = _Names(book, of)
    codes = category_codes([balance.terms.categories for balance in balances])
    names.check(balances, accounts, codes)
    group_ids = sorted(set(accounts.values()))
    share_ids = sorted({*(shares or {}).values(), *(one.share for one in balances if one.share)})
    group_of_balance = _group_of_balance(balances, accounts, shares or {}, group_ids)
    order = _in_order(balances, group_of_balance)
    rows = [balances[n] for n in order]
    terms = [names.row(balance, codes) for balance in rows]
    ids = list(accounts)
    index = {account: place for place, account in enumerate(ids)}
    place, size = _places(ids, accounts, group_ids)
    member_first, members = _member_counters([balances[n] for n in order], [size[group_of_balance[n]] for n in order])
    dens = [term[TERM_WORDS - 1] for term in terms]
    value = [_whole(balance, den) for balance, den in zip(rows, dens, strict=True)]
    is_large = any(abs(one) > VALUE_MAX for one in [*value, *(balance.credit_limit_nano for balance in rows)])
    nobody = term_row(MONEY, PayTerms(), is_default=False, filter_row=0, categories=0, window=-1, tariff=-1, rule=-1)
    kind = object if is_large else np.int64
    payers = Payers(
        group_of=np.array([group_ids.index(accounts[one]) for one in ids], dtype=np.int32),
        share_of=np.array([share_ids.index(shares[one]) if shares and one in shares else -1 for one in ids], dtype=np.int32),
        member_of=np.array(place, dtype=np.int32),
        group_first=np.searchsorted([group_of_balance[n] for n in order], np.arange(len(group_ids) + 1)).astype(np.int64),
        owner=np.array([*(index.get(one.owner, -1) for one in rows), -1], dtype=np.int32),
        share=np.array([*(share_ids.index(one.share) if one.share else -1 for one in rows), -1], dtype=np.int32),
        term=np.arange(len(rows) + 1, dtype=np.int32),
        valid_from=np.array([*(one.valid_from_at for one in rows), ALWAYS_FROM_AT], dtype=np.int64),
        valid_to=np.array([*(min(one.valid_to_at, NEVER) for one in rows), NEVER], dtype=np.int64),
        credit=np.array([*(one.credit_limit_nano if one.default else 0 for one in rows), 0], dtype=kind),
        member_first=member_first,
        terms=np.array([*terms, nobody], dtype=np.int64),
        match=np.array(names.matches or [np.ones(len(book.prefixes.prefixes), dtype=np.int8)], dtype=np.int8),
        **dict(zip(("window_first", "window_at"), windows_as_arrays(names.borders), strict=True)),
    )
    rules = (*book.rules, *book.bundle_rules, *names.rules)
    largest = int(np.diff(payers.group_first).max(initial=0))
    return BalanceTable(
        payers, price_terms(rules), rules, np.array([*value, 0], dtype=kind), members, largest, tuple(rows), tuple(ids), codes
    )


def _in_order(balances: Sequence[Balance], group_of_balance: Sequence[int]) -> list[int]:
    """Balances by (settlement group, priority, valid_to, granted_at, id): what is fixed of the debit order."""

    def key(n: int) -> tuple[int, int, int, int, str]:
        one = balances[n]
        return group_of_balance[n], -one.priority, one.valid_to_at, one.granted_at, one.balance_id

    return sorted(range(len(balances)), key=key)


def _member_counters(rows: Sequence[Balance], sizes: Sequence[int]) -> tuple[Ints, int]:
    """(first counter of each balance that caps its members, and of the bill; number of counters)."""
    first = np.full(len(rows) + 1, -1, dtype=np.int64)
    members = 0
    for row, (balance, size) in enumerate(zip(rows, sizes, strict=True)):
        if balance.terms.member_cap is not None:
            first[row] = members
            members += size
    return first, members


def _whole(balance: Balance, den: int) -> int:
    value = Fraction(balance.value) * den
    if value.denominator != 1:
        where, was = f"balance {balance.balance_id}", str(balance.value)
        raise ConfigurationError(Fault(where, "a value that its factor does not divide", was, f"a multiple of 1/{den}"))
    return value.numerator


def _group_of_balance(
    balances: Sequence[Balance], accounts: Mapping[str, str], shares: Mapping[str, str], group_ids: list[str]
) -> list[int]:
    """The settlement group of each balance: its owner's, or that of the members of the share group that owns it."""
    of_share = {share: accounts[account] for account, share in shares.items()}
    return [group_ids.index(accounts[one.owner] if one.owner else of_share[one.share]) for one in balances]


def _places(ids: list[str], accounts: Mapping[str, str], group_ids: list[str]) -> tuple[list[int], list[int]]:
    """(place of each account in its settlement group, members of each group)."""
    size, place = [0] * len(group_ids), []
    for account in ids:
        group = group_ids.index(accounts[account])
        place.append(size[group])
        size[group] += 1
    return place, size


class _Names:
    """Destinations, windows and bundle tariffs by name; collects match rows, window borders and bundle rules, each once."""

    def __init__(self, book: TariffBook, home: Tariff) -> None:
        self.book, self.home = book, home
        self.rounding = home.versions[-1].rounding  # only kept with a bundle's rate: the tariff's rule rounds a record
        self.prefixes: dict[str, tuple[str, ...]] = {}
        for version in home.versions:
            for to in version.destinations:
                self.prefixes[to.name] = tuple(dict.fromkeys((*self.prefixes.get(to.name, ()), *to.prefixes)))
        self.windows = {window.name for version in home.versions for window in version.windows}
        self.matches: list[npt.NDArray[np.int8]] = []
        self.borders: list[npt.NDArray[np.int64]] = []
        self.rules: list[BookRule] = []
        self._match_of: dict[object, int] = {}
        self._window_of: dict[tuple[str, ...], int] = {}

    def check(self, balances: Sequence[Balance], accounts: Mapping[str, str], codes: Mapping[str, int]) -> None:
        faults = []
        seen: set[str] = set()
        for balance in balances:
            where, terms = f"balance {balance.balance_id}", balance.terms
            named = (
                ("destination", [*(terms.destinations or ()), *(terms.excluded or ())], self.prefixes),
                ("window", terms.windows or (), self.windows),
                ("tariff", [terms.tariff_id] if terms.tariff_id else (), self.book.index_of),
                ("account", [balance.owner] if balance.owner else (), accounts),
            )
            for what, used, known in named:
                faults += [Fault(where, f"no such {what}", repr(name), " or ".join(sorted(known)) or "none")
                           for name in used if name not in known]  # fmt: skip
            if balance.balance_id in seen:
                faults.append(Fault(where, "a balance of this id is there twice", must_be="one id for one balance"))
            seen.add(balance.balance_id)
        if len(codes) > CATEGORIES_MAX:
            faults.append(Fault("balances", "too many categories", str(len(codes)), f"at most {CATEGORIES_MAX}"))
        if faults:
            raise ConfigurationError(faults)

    def row(self, balance: Balance, codes: Mapping[str, int]) -> list[int]:
        terms, rule = balance.terms, -1
        if terms.rate is not None:
            rule = len(self.book.rules) + len(self.book.bundle_rules) + len(self.rules)
            of = UsageKind(balance.kind)
            self.rules.append(
                BookRule(balance.balance_id, "", balance.balance_id, of, "", "", terms.rate, self.rounding, of != UsageKind.VOICE)
            )
        return term_row(
            balance.kind, terms, is_default=balance.default, filter_row=self._match(terms),
            categories=category_bits(terms.categories, codes), window=self._window(terms.windows),
            tariff=self.book.tariff_index(terms.tariff_id) if terms.tariff_id else -1, rule=rule,
        )  # fmt: skip

    def _match(self, terms: PayTerms) -> int:
        key = (terms.destinations, terms.excluded)
        if key not in self._match_of:
            self._match_of[key] = len(self.matches)
            self.matches.append(match_lengths(terms.destinations, self.prefixes, self.book.prefixes, terms.excluded))
        return self._match_of[key]

    def _window(self, names: tuple[str, ...] | None) -> int:
        if names is None:
            return -1
        if names not in self._window_of:
            self._window_of[names] = len(self.borders)
            version = next(of for of in self.home.versions[::-1] if set(names) & {window.name for window in of.windows})
            self.borders.append(window_borders(self.home, version, names, self.book.span[0], self.book.span[1] + _TAIL_US))
        return self._window_of[names]


def with_large_values(state: BalanceState) -> BalanceState:
    """The same state in Python integers."""
    return replace(state, value=state.value.astype(object), used=state.used.astype(object))
