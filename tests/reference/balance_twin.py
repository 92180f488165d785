"""The slow, obvious twin of the walk through balances: fractions, one increment at a time, every balance looked at each time.

It reads tariffs and `Balance` values and nothing compiled from them. A payer goes on paying while nothing changes for it or for
those before it in the list (reference: rating §5, "up to the next border, then the list is walked again").
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

from rating.balances.balance_values import Balance
from rating.balances.layout import GENERIC, MONEY
from rating.language.call_terms import Rate, Rule
from rating.language.shared_terms import PricedAt, Rounding
from rating.language.tariff import Tariff, TariffVersion
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from tests.reference.rating_twin import RatingTwin, rounded

BILL = "the bill"
NOBODY = "nobody"


@dataclass
class TwinCall:
    """A running call: all that later increments of it need."""

    elapsed: int = 0
    total: Fraction = Fraction(0)
    booked: int = 0
    started: bool = False
    minimum: int = 0
    covered: int = 0


@dataclass
class TwinOutcome:
    status: Reason
    charge: int
    elapsed: int
    covered: int
    paid: dict[str, Fraction] = field(default_factory=dict)  # balance -> units or nano-units taken


@dataclass
class _Step:
    """What one increment needs: rule, tier and the money side of it."""

    rule: Rule | None
    rate: Rate
    tier: int

    @property
    def size(self) -> int:
        return self.rate.tiers[self.tier].increment

    @property
    def weight(self) -> Fraction:
        tier = self.rate.tiers[self.tier]
        return Fraction(tier.price_nano * tier.increment, tier.per)


class BalanceTwin:
    """Balances of some accounts; `values` and `member_used` move, everything else is fixed."""

    def __init__(
        self,
        tariffs: list[Tariff],
        balances: list[Balance],
        groups: dict[str, str],
        shares: dict[str, str],
        bill: bool = False,
        homes: dict[str, Tariff] | None = None,
    ) -> None:
        self.twins = {tariff.tariff_id: RatingTwin(tariff) for tariff in tariffs}
        self.home, self.homes = tariffs[0], homes or {}
        self.balances = balances
        self.groups, self.shares, self.bill = groups, shares, bill
        self.values = {one.balance_id: Fraction(one.value) for one in balances}
        self.member_used: dict[tuple[str, str], Fraction] = {}

    # What may pay -----------------------------------------------------------------------------------------------------------

    def listed(self, account: str, kind: int, digits: str, category: str) -> list[Balance]:
        """The balances that may pay for a record, without looking at time, in debit order."""
        found = []
        for one in self.balances:
            own = one.owner == account
            shared = one.share != "" and self.shares.get(account) == one.share
            if not own and not shared or (one.default and not own) or self._length(one, digits) < 0:
                continue
            if one.terms.categories is not None and category not in one.terms.categories:
                continue
            if one.kind in (kind, MONEY) or (one.kind == GENERIC and kind in [int(of) for of, _ in one.terms.per_unit]):
                found.append(one)
        return sorted(found, key=lambda one: self._order(one, account, digits))

    def _order(self, one: Balance, account: str, digits: str) -> tuple[object, ...]:
        rank = 3 if one.default else 2 if one.kind == MONEY else 1 if one.kind == GENERIC else 0
        own_first = one.terms.share_order == "own_first"
        shared = one.share != "" and (one.owner != account or not own_first)
        value = self.values[one.balance_id]
        moving = {"lowest": value, "highest": -value}.get(one.terms.share_order, Fraction(0)) if shared else Fraction(0)
        key = (one.valid_to_at, one.granted_at, one.balance_id)
        sharing = 1 + ("own_first", "lowest", "highest").index(one.terms.share_order) if shared else 0
        return (rank, sharing, moving, -self._length(one, digits), -one.priority, *key)

    def _length(self, one: Balance, digits: str) -> int:
        """The longest prefix of its destinations that the number has; 0 for any, -1 where it does not pay."""

        def longest(names: tuple[str, ...] | None) -> int:
            if names is None:
                return 0
            prefixes = [
                prefix
                for version in self.homes.get(one.balance_id, self.home).versions
                for to in version.destinations
                if to.name in names
                for prefix in to.prefixes
            ]
            return max((len(prefix) for prefix in prefixes if digits.startswith(prefix)), default=-1)

        inside, outside = longest(one.terms.destinations), longest(one.terms.excluded) if one.terms.excluded else -1
        return -1 if outside >= 0 and outside >= inside else inside

    def is_open(self, one: Balance, at: int) -> bool:
        if not one.valid_from_at <= at < one.valid_to_at:
            return False
        if one.terms.windows is None:
            return True
        windows = [window for window in self.home.versions[-1].windows if window.name in one.terms.windows]
        return any(self.twins[self.home.tariff_id].occurrence(window, at) is not None for window in windows)

    # What it costs ----------------------------------------------------------------------------------------------------------

    def step(self, tariff_id: str, kind: int, digits: str, start_at: int, elapsed: int, voice: bool) -> _Step | Reason:
        """The rule and tier of the increment that starts at `elapsed`."""
        twin = self.twins[tariff_id]
        first = twin.winner(UsageKind(kind), digits, start_at)
        frozen = not voice or (not isinstance(first, Reason) and first[0].priced_at is PricedAt.USAGE_START)
        found = first if frozen or elapsed == 0 else twin.winner(UsageKind(kind), digits, start_at + elapsed * 1000)
        if isinstance(found, Reason):
            return found
        _, rule, rate = found
        return _Step(rule, rate, max(n for n, tier in enumerate(rate.tiers) if tier.from_usage <= elapsed))

    def start(self, tariff_id: str, kind: int, digits: str, start_at: int) -> tuple[TariffVersion, Rule, Rate] | Reason:
        return self.twins[tariff_id].winner(UsageKind(kind), digits, start_at)

    # Paying -----------------------------------------------------------------------------------------------------------------

    def charge(
        self, account: str, tariff_id: str, kind: int, digits: str, start_at: int, asked: int, *, category: str = "",
        task: str = "book", call: TwinCall | None = None,
    ) -> TwinOutcome:  # fmt: skip
        """Charge one record; a booking that is refused moves nothing, a grant moves nothing at all."""
        now = replace(call) if call else TwinCall()
        if asked == 0:
            return TwinOutcome(Reason.ZERO_USAGE, 0, 0, 0)
        before, values, used = replace(now), dict(self.values), dict(self.member_used)
        walk = _Walk(self, account, tariff_id, kind, digits, start_at, asked, category, task, now)
        status = walk.run()
        partial = task != "book" and status in (Reason.BLOCKED_BY_BALANCE, Reason.NOT_COVERED)
        if status and (not partial or now.elapsed == before.elapsed):
            self.values, self.member_used, walk.paid = values, used, {}
            now = before
        if task == "grant":
            self.values, self.member_used = values, used
        elif call is not None:
            call.__dict__.update(now.__dict__)
        return TwinOutcome(
            status, now.booked - before.booked, now.elapsed, now.covered, {k: v for k, v in walk.paid.items() if v}
        )


class _Walk:
    """One record on its way through the list."""

    def __init__(self, twin: BalanceTwin, account: str, tariff_id: str, kind: int, digits: str, start_at: int, asked: int,
                 category: str, task: str, call: TwinCall) -> None:  # fmt: skip
        self.twin, self.account, self.tariff_id, self.kind, self.digits = twin, account, tariff_id, kind, digits
        self.start_at, self.asked, self.category, self.task, self.call = start_at, asked, category, task, call
        self.voice = kind == UsageKind.VOICE
        self.paid: dict[str, Fraction] = {}

    def run(self) -> Reason:
        first = self.twin.start(self.tariff_id, self.kind, self.digits, self.start_at)
        if isinstance(first, Reason):
            return first
        version, rule, _ = first
        self.rounding: Rounding = rule.rounding or version.rounding
        paying, signs = "", None
        ahead: list[Balance] = []
        while self.call.elapsed < self.asked:
            order = self.twin.listed(self.account, self.kind, self.digits, self.category)
            if paying:  # goes on while nothing changed for it and those before it
                if signs == self._signs(ahead, paying):
                    one = next((one for one in order if one.balance_id == paying), None)
                    if self._pay(one, paying):
                        continue
                    if self.failure:
                        return self.failure
                paying = ""
            self.failure = Reason.OK
            for place, one in enumerate(order):
                if not self.twin.is_open(one, self.at):
                    continue
                self.purse: Balance | str | None = None
                if self._may(one) and self._pay(one, one.balance_id):
                    paying, ahead = one.balance_id, order[: place + 1]
                    break
                if self.failure:
                    return self.failure
                if one.terms.blocker:
                    return Reason.BLOCKED_BY_BALANCE
            else:
                last, self.purse = BILL if self.twin.bill else NOBODY, None
                if not self._pay(None, last):
                    return self.failure or Reason.NOT_COVERED
                paying, ahead = last, order
            signs = self._signs(ahead, paying, self.before)
        return Reason.OK

    @property
    def at(self) -> int:
        return self.start_at + self.call.elapsed * 1000 if self.voice else self.start_at

    def _signs(self, ahead: list[Balance], paying: str, elapsed: int | None = None) -> list[object]:
        """What must stay the same for a payer to go on: whether those before it are open, and the prices that were looked at."""
        elapsed = self.call.elapsed if elapsed is None else elapsed
        at = self.start_at + elapsed * 1000 if self.voice else self.start_at
        found: list[object] = []
        for one in ahead:
            is_open = self.twin.is_open(one, at)
            found.append(is_open)
            if is_open and (one.kind == MONEY or one.terms.tariff_id or one.terms.rate):
                found.append(self._price_sign(self._step_of(one, elapsed)))
        if paying in (BILL, NOBODY):
            found.append(self._price_sign(self._step_of(None, elapsed)))
        return found

    @staticmethod
    def _price_sign(step: _Step | Reason) -> object:
        return step if isinstance(step, Reason) else (step.rate, step.rule, step.tier)

    def _step_of(self, one: Balance | None, elapsed: int) -> _Step | Reason:
        if one is not None and one.terms.rate:
            rate = one.terms.rate
            return _Step(None, rate, max(n for n, tier in enumerate(rate.tiers) if tier.from_usage <= elapsed))
        own = one.terms.tariff_id if one is not None and one.terms.tariff_id else self.tariff_id
        return self.twin.step(own, self.kind, self.digits, self.start_at, elapsed, self.voice)

    def _may(self, one: Balance) -> bool:
        """Eligible: something left, unlimited, or the default balance for what happened."""
        return one.kind != MONEY or self._room(one) is None or (self._room(one) or 0) > 0

    def _room(self, one: Balance | None) -> int | None:
        """Nano-units that a money balance can pay; None is no bound."""
        if one is None:
            return None if self.twin.bill else 0
        if one.terms.unlimited or (self.task == "book" and one.default):
            return None
        room = self.twin.values[one.balance_id] + (one.credit_limit_nano if one.default else 0)
        if one.terms.member_cap is not None and one.owner != self.account:
            room = min(room, one.terms.member_cap - self.twin.member_used.get((one.balance_id, self.account), Fraction(0)))
        return max(int(room), 0)

    def _pay(self, one: Balance | None, name: str) -> bool:
        """Let a payer pay one block or increment, with the fee if it is the first; nothing moves where it cannot."""
        twin, call = self.twin, self.call
        saved = (dict(twin.values), dict(twin.member_used), dict(self.paid), dict(call.__dict__))
        self.before, self.failure = call.elapsed, Reason.OK
        if self._try(one):
            return True
        twin.values, twin.member_used, self.paid = saved[:3]
        call.__dict__.update(saved[3])
        return False

    def _try(self, one: Balance | None) -> bool:
        call = self.call
        is_money = one is None or one.kind == MONEY
        is_bundle = one is not None and (bool(one.terms.tariff_id) or one.terms.rate is not None)
        if one is not None and not self.twin.is_open(one, self.at):
            return False
        if not is_money and not is_bundle:
            assert one is not None
            block = one.terms.block if one.terms.block and one.kind != GENERIC else (1000 if self.voice else 1)
            if not self._take_units(one, block):
                return False
            if not call.started:
                call.started = True
                if one.terms.fee_with_allowance:
                    step = self._step_of(None, 0)
                    if isinstance(step, Reason) or not self._pay_fee(step.rate):
                        return False
            call.elapsed += block
            call.covered += block
            return True
        step = self._step_of(one if is_bundle else None, call.elapsed)
        if isinstance(step, Reason):
            self.failure = Reason.NO_RATE_AT_INSTANT if is_money else Reason.OK
            return False
        if is_bundle:
            assert one is not None
            if not self._take_units(one, step.size):
                return False
        if one is None and not self.twin.bill and step.weight != 0:
            return False  # nobody only passes free usage
        if not call.started:
            call.started, call.minimum = True, step.rate.minimum_charge_nano
            if not self._pay_fee(step.rate):
                return False
        cap = step.rate.cap
        raised = call.total + step.weight
        if self.task != "book" and cap and cap.strategy == "disconnect" and step.weight > 0 and raised > cap.amount_nano:
            self.failure = Reason.NOT_COVERED
            return False
        if cap and cap.strategy == "free" and step.weight > 0:
            raised = max(call.total, min(raised, Fraction(cap.amount_nano)))
        part = rounded(max(raised, Fraction(call.minimum)) if call.minimum else raised, self.rounding) - call.booked
        if is_bundle:
            free = raised == call.total and part == 0 and step.weight >= 0
            if not free and not (self._pay_money(part) if self.purse is None else self._pay_from(self.purse, part)):
                return False
        else:
            room = self._room(one)
            if room is not None and part > room:
                return False
            self._move(one, Fraction(part))
        call.total, call.booked = raised, call.booked + part
        call.elapsed += step.size
        if is_bundle:
            call.covered += step.size
        return True

    def _pay_fee(self, rate: Rate) -> bool:
        purse = self.purse
        fee = (
            min(rate.connect_fee_nano, rate.cap.amount_nano)
            if rate.cap and rate.cap.strategy == "free"
            else rate.connect_fee_nano
        )
        if fee == 0:
            return True
        part = rounded(Fraction(fee), self.rounding)
        if not self._pay_money(part):
            return False
        self.purse = purse  # the increments may come from elsewhere
        self.call.total, self.call.booked = Fraction(fee), part
        return True

    def _pay_from(self, purse: Balance | str, part: int) -> bool:
        """The money of a bundle's further increments comes from where that of its first came from."""
        one = purse if isinstance(purse, Balance) else None
        room = self._room(one)
        if room is not None and part > room:
            return False
        self._move(one, Fraction(part))
        return True

    def _pay_money(self, part: int) -> bool:
        """From the first money balance that can pay it whole; a blocker that cannot ends the search."""
        for one in self.twin.listed(self.account, self.kind, self.digits, self.category):
            if one.kind != MONEY or not self.twin.is_open(one, self.at):
                continue
            room = self._room(one)
            if room is None or (room > 0 and part <= room):
                self._move(one, Fraction(part))
                self.purse = one
                return True
            if one.terms.blocker:
                return False
        if self.twin.bill:
            self.purse = BILL
            self._move(None, Fraction(part))
        return self.twin.bill

    def _take_units(self, one: Balance, usage: int) -> bool:
        factor = Fraction(*one.terms.factor)
        if one.kind == GENERIC:
            factor /= dict(one.terms.per_unit)[UsageKind(self.kind)]
        units = usage * factor
        if not one.terms.unlimited and units > self.twin.values[one.balance_id]:
            return False
        used = self.twin.member_used.get((one.balance_id, self.account), Fraction(0))
        if one.terms.member_cap is not None and one.owner != self.account and used + units > one.terms.member_cap:
            return False
        self._move(one, units)
        return True

    def _move(self, one: Balance | None, amount: Fraction) -> None:
        name = one.balance_id if one else BILL if self.twin.bill else NOBODY
        self.paid[name] = self.paid.get(name, Fraction(0)) + amount
        if one is None:
            return
        if not one.terms.unlimited:
            self.twin.values[one.balance_id] -= amount
        if one.terms.member_cap is not None and one.owner != self.account:
            key = (one.balance_id, self.account)
            self.twin.member_used[key] = self.twin.member_used.get(key, Fraction(0)) + amount
