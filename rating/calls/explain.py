"""Why a call costs what it costs: the segments that the pricing kernel itself writes, with fee, cap, minimum and rounding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rating.calls.exact_price import PricedSegment, booked_exact, exact_price
from rating.compiled.book import TariffBook
from rating.compiled.rule_layout import SCALE_SHIFT
from rating.compiled.winners import CALL_KIND_COUNT, NO_RATE_FOR_DESTINATION
from rating.language.clocks import clock_of
from rating.language.rates_text import quantity_text
from schemas.money import NANO, amount_text
from schemas.numbers import number_text
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from schemas.zones import moment_of

_SEGMENTS_FIRST = 64


@dataclass(frozen=True, slots=True)
class CallExplanation:
    """A record's charge with everything that led to it. `total_nano` is exact, before the rounding; status as in `rate_calls`."""

    book: TariffBook
    tariff_index: int
    kind: UsageKind
    called_number: int
    start_at: int
    quantity: int
    status: Reason
    rule_index: int = -1
    charge_nano: int = 0
    charged_quantity: int = 0
    total_nano: Fraction = Fraction(0)
    segments: tuple[PricedSegment, ...] = ()

    def as_json(self) -> dict[str, object]:
        """All of it as plain values; exact fractions as text `numerator/denominator` in currency units."""
        tariff = self.book.tariffs[self.tariff_index] if self.tariff_index >= 0 else None
        shown: dict[str, object] = {
            "status": self.status.label,
            "tariff_id": tariff.tariff_id if tariff else "",
            "content_hash": tariff.content_hash if tariff else "",
            "kind": self.kind.label,
            "called_number": number_text(self.called_number),
            "start_at": moment_of(self.start_at).isoformat(),
            "quantity": self.quantity,
            "unit": self.kind.unit,
        }
        if self.status != Reason.OK:
            return shown
        rule = self.book.rules[self.rule_index]
        rounding = rule.rounding
        return shown | {
            "version": rule.version,
            "item": rule.item,
            **({"fallback": rule.fallback} if rule.fallback else {}),
            "connect_fee": amount_text(rule.rate.connect_fee_nano),
            "segments": [self._segment_json(segment) for segment in self.segments],
            "exact": str(self.total_nano / NANO),
            "rounding": {"scope": rounding.scope, "mode": rounding.mode, "decimals": rounding.decimals},
            "charge": amount_text(self.charge_nano),
            "charge_nano": self.charge_nano,
            "charged_quantity": self.charged_quantity,
        }

    def _segment_json(self, segment: PricedSegment) -> dict[str, object]:
        rule = self.book.rules[segment.rule_index]
        tier = rule.rate.tiers[segment.tier]
        return {
            "start_at": moment_of(self._segment_start(segment)).isoformat(),
            "elapsed_from": segment.elapsed,
            "increments": segment.count,
            "increment": segment.increment,
            "price": amount_text(tier.price_nano),
            "per": tier.per,
            "rule": {"version": rule.version, "item": rule.item, "destination": rule.destination, "window": rule.window},
            "rate": rule.rate.name,
            "tier": segment.tier,
            "exact": str(self._segment_cost(segment) / NANO),
            "running_total": str(segment.total_nano / NANO),
        }

    def _segment_start(self, segment: PricedSegment) -> int:
        return self.start_at + segment.elapsed * 1000 if self.kind is UsageKind.VOICE else self.start_at

    def _segment_cost(self, segment: PricedSegment) -> Fraction:
        tier = self.book.rules[segment.rule_index].rate.tiers[segment.tier]
        return Fraction(tier.price_nano * segment.increment, tier.per) * segment.count

    def text(self) -> str:
        """The same for people, in the local time of the tariff."""
        head = f"{self.kind.label} of {quantity_text(self.quantity, self.kind)}"
        if number_text(self.called_number):
            head += f" to {number_text(self.called_number)}"
        if self.tariff_index < 0:
            return f"{head}: not priced, {self.status.label}"
        tariff = self.book.tariffs[self.tariff_index]
        zone = clock_of(tariff.zone, tariff.clock)
        head += f" at {moment_of(self.start_at).astimezone(zone).isoformat()} on {tariff.tariff_id}"
        if self.status != Reason.OK:
            return f"{head}: not priced, {self.status.label}"
        rule, unit = self.book.rules[self.rule_index], tariff.currency
        lines = [head, f"  {rule.item} (version {rule.shown_version})"]
        total = Fraction(0)
        if rule.rate.connect_fee_nano and not (self.segments and self.segments[0].elapsed):
            total = Fraction(rule.rate.connect_fee_nano)
            lines.append(f"  connect fee                                   {amount_text(rule.rate.connect_fee_nano)}")
        for segment in self.segments:
            lines.append("  " + self._segment_text(segment))
            cost = self._segment_cost(segment)
            if total + cost != segment.total_nano:
                lines.append(f"  held by the cap at {fraction_text(segment.total_nano)}")
            total = segment.total_nano
        if self.total_nano != total:
            lines.append(f"  raised to the minimum of {fraction_text(self.total_nano)}")
        rounding = rule.rounding
        books_nano = rounding.mode == "none" or rounding.scope == "line"
        how = "nearest nano-unit" if books_nano else f"{rounding.mode}, {rounding.decimals} decimals"
        lines.append(f"  exact {fraction_text(self.total_nano)}, rounded once ({how}): {amount_text(self.charge_nano)} {unit}")
        return "\n".join(lines)

    def _segment_text(self, segment: PricedSegment) -> str:
        rule = self.book.rules[segment.rule_index]
        tier = rule.rate.tiers[segment.tier]
        tariff = self.book.tariffs[self.tariff_index]
        zone = clock_of(tariff.zone, tariff.clock)
        at = moment_of(self._segment_start(segment)).astimezone(zone).strftime("%H:%M:%S")
        window = f", window {rule.window}" if rule.window else ""
        where = f"{rule.item}{window}, tier {segment.tier + 1}" if segment.tier else f"{rule.item}{window}"
        price = f"{amount_text(tier.price_nano)} per {quantity_text(tier.per, self.kind)}"
        steps = f"{segment.count} x {quantity_text(segment.increment, self.kind)}"
        return f"{at}  {steps} at {price} = {fraction_text(self._segment_cost(segment))}  [{where}]"


def fraction_text(nano: Fraction) -> str:
    """Currency units: a finite decimal where there is one, else numerator/denominator with nine decimals beside it."""
    if nano.denominator == 1:
        return amount_text(nano.numerator)
    return f"{nano / NANO} (about {amount_text(nano.numerator // nano.denominator)})"


def explain_call(
    book: TariffBook, tariff_index: int, kind: int, called_number: int, start_at: int, quantity: int
) -> CallExplanation:
    """The charge of one record as `rate_calls` computes it, with its segments; arguments as there."""
    from rating.calls.increments import NEEDS_EXACT, price_call  # here, since explain_exactly does without kernels
    from rating.compiled.prefixes import node_of_number

    of, usage = UsageKind(kind), (tariff_index, UsageKind(kind), called_number, start_at, quantity)
    if quantity == 0:
        return CallExplanation(book, *usage, Reason.ZERO_USAGE)
    if tariff_index < 0:
        return CallExplanation(book, *usage, Reason.NO_TARIFF_FOR_SUBJECT)
    node = node_of_number(np.uint64(called_number), book.prefixes.top, book.prefixes.sub)
    cell = int(book.cell_of[tariff_index * CALL_KIND_COUNT + of, node])
    place = book.timelines.place_of(tariff_index, start_at)
    rule = book.rule_at(cell, place) if place >= 0 else -1
    if rule < 0:
        reason = Reason.NO_RATE_FOR_DESTINATION if rule == NO_RATE_FOR_DESTINATION else Reason.NO_RATE_AT_INSTANT
        return CallExplanation(book, *usage, reason)
    written, room = _SEGMENTS_FIRST, 0
    while written > room:  # a call with more segments than expected is walked again with room for all
        room = written
        shown = np.zeros((room, 6), dtype=np.int64)
        status, total, elapsed, written = price_call(
            book.timelines.segment, book.choices, book.rule_rows, book.rule_words,
            place, cell, rule, start_at, quantity, 0, True, shown,
        )  # fmt: skip
    if status == NEEDS_EXACT:
        return explain_exactly(book, tariff_index, kind, called_number, start_at, quantity)
    if status:
        return CallExplanation(book, *usage, Reason(status))
    common = int(book.scale_rows[book.rule_rows[rule, 0] >> SCALE_SHIFT, 2])
    rows = shown[:written].tolist()
    segments = tuple(PricedSegment(row[0], row[1], row[2], row[3], row[4], Fraction(row[5], common)) for row in rows)
    exact = Fraction(int(total), common)
    return CallExplanation(book, *usage, Reason.OK, rule, booked_exact(exact, book.rules[rule]), int(elapsed), exact, segments)


def explain_exactly(
    book: TariffBook, tariff_index: int, kind: int, called_number: int, start_at: int, quantity: int
) -> CallExplanation:
    """The same by the big-integer path, which needs no kernel: for rows beyond int64, and for a few records without a warm-up."""
    usage = (tariff_index, UsageKind(kind), called_number, start_at, quantity)
    if quantity == 0 or tariff_index < 0:
        return CallExplanation(book, *usage, Reason.NO_TARIFF_FOR_SUBJECT if quantity else Reason.ZERO_USAGE)
    price = exact_price(book, tariff_index, kind, called_number, start_at, quantity)
    if price.status:
        return CallExplanation(book, *usage, Reason(price.status))
    booked = (price.rule_index, price.charge_nano, price.charged_quantity, price.total_nano)
    return CallExplanation(book, *usage, Reason.OK, *booked, tuple(price.segments))
