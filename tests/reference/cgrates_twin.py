"""Twin of the import of CGRateS plans: a call priced straight from the files of a folder, one increment after the other.

Only what the golden folder uses: durations in s and m, UTC, `*free` caps, weekdays where 0 and 7 are Sunday, inclusive ends.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from schemas.money import round_ratio

MODES = {"*up": "up", "*middle": "half_up", "*down": "down"}


@dataclass(frozen=True)
class Chosen:
    """What prices an instant."""

    binding: list[str]
    slots: list[list[str]]


class PlanFolder:
    """The rows of each file as lists of cells."""

    def __init__(self, folder: Path) -> None:
        self._known: dict[tuple[str, str, datetime], Chosen | None] = {}
        self.rows = {
            path.stem: [row for row in csv.reader(path.read_text().splitlines()) if row and row[0][0] != "#"]
            for path in folder.glob("*.csv")
        }

    def plan_at(self, category: str, subject: str, at: datetime) -> str | None:
        known = {row[2] for row in self.rows["RatingProfiles"] if row[1] == category}
        name = subject if subject in known else "*any"
        rows = [
            row for row in self.rows["RatingProfiles"] if row[1:3] == [category, name] and datetime.fromisoformat(row[3]) <= at
        ]
        return max(rows, key=lambda row: datetime.fromisoformat(row[3]))[4] if rows else None

    def start_of_day_window(self, timing: str, at: datetime) -> int | None:
        """Seconds of the day on which the timing starts, where it is active; -1 for any time."""
        if timing == "*any":
            return -1
        row = next(row for row in self.rows["Timings"] if row[0] == timing)
        if row[1:5] == ["*any"] * 4 and row[5] == "00:00:00":
            return -1
        weekday = {str(at.isoweekday()), str(at.isoweekday() % 7)}
        for cell, values in zip(row[1:5], ({str(at.year)}, {str(at.month)}, {str(at.day)}, weekday), strict=True):
            if cell != "*any" and not set(cell.split(";")) & values:
                return None
        start, _, end = row[5].partition(";")
        low, high = time.fromisoformat(start), time.fromisoformat(end) if end else time(23, 59, 59)
        return low.hour * 3600 + low.minute * 60 + low.second if low <= at.time().replace(microsecond=0) <= high else None

    def chosen(self, plan: str, number: str, at: datetime) -> Chosen | None:
        """Longest prefix first, then weight, then the later start."""
        for size in range(len(number), -1, -1):
            groups = (
                {"*any"} if size == 0 else {row[0] for row in self.rows["Destinations"] if row[1].lstrip("+") == number[:size]}
            )
            found = []
            for _, binding_id, timing, weight in (row[:4] for row in self.rows["RatingPlans"] if row[0] == plan):
                start = self.start_of_day_window(timing, at)
                for binding in self.rows["DestinationRates"]:
                    if start is not None and binding[0] == binding_id and binding[1] in groups:
                        found.append((Decimal(weight), start, binding))
            if found:
                binding = max(found, key=lambda each: each[:2])[2]
                return Chosen(binding, [row for row in self.rows["Rates"] if row[0] == binding[2]])
        return None

    def _of_minute(self, plan: str, number: str, minute: datetime) -> Chosen | None:
        """All windows of the folder start and end on whole minutes."""
        key = (plan, number, minute)
        if key not in self._known:
            self._known[key] = self.chosen(plan, number, minute)
        return self._known[key]

    def price(self, category: str, subject: str, number: str, at: datetime, seconds: int) -> Fraction | None:
        total, elapsed = Fraction(0), 0
        first: Chosen | None = None
        while elapsed < seconds:
            now = at + timedelta(seconds=elapsed)
            plan = self.plan_at(category, subject, now)
            chosen = self._of_minute(plan, number, now.replace(second=0)) if plan else None
            if chosen is None:
                return None
            slots = sorted(chosen.slots, key=lambda slot: duration_s(slot[5]))
            slot = [each for each in slots if duration_s(each[5]) <= elapsed][-1]
            if first is None:
                first = chosen
                total += Fraction(Decimal(chosen.slots[0][1]))
            total += Fraction(Decimal(slot[2])) * duration_s(slot[4]) / duration_s(slot[3])
            elapsed += duration_s(slot[4])
            cap = Fraction(Decimal(chosen.binding[5] or "0"))
            if cap and chosen.binding[6] == "*free":
                total = min(total, cap)
        if first is None:
            return Fraction(0)
        decimals = int(first.binding[4])
        if not decimals:
            return total
        scaled = total * 10**decimals
        return Fraction(round_ratio(scaled.numerator, scaled.denominator, MODES[first.binding[3]]), 10**decimals)


def duration_s(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]
