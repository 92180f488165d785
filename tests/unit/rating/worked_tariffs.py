"""Small tariffs for tests, written as they read: rates in currency units and seconds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.call_terms import Allowance, Cap, Destination, Rate, Rule
from rating.language.discount_terms import Discount
from rating.language.shared_terms import DAY_US, FOREVER_AT, PricedAt, Rounding, ServiceKind, Tier, Window
from rating.language.tariff import Tariff, TariffVersion
from schemas.quantities import UsageKind
from schemas.zones import instant_us, zone_of

HOUR_US = 3_600_000_000
YEAR = (instant_us(datetime(2026, 1, 1, tzinfo=UTC)), instant_us(datetime(2027, 1, 1, tzinfo=UTC)))


def nano(amount: str) -> int:
    return int(Decimal(amount) * 10**9)


def local(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> int:
    """The instant of a local reading; `fold` 1 is the second pass of a repeated hour."""
    return instant_us(datetime.fromisoformat(text).replace(tzinfo=zone_of(zone), fold=fold).astimezone(UTC))


def window(name: str, start: float = 0, end: float = 24, **filters: Iterable[int]) -> Window:
    """Hours of the day; filters as sets."""
    sets = {key: frozenset(values) for key, values in filters.items()}
    return Window(name, start_us=int(start * HOUR_US), end_us=int(end * HOUR_US), **sets)  # type: ignore[arg-type]


def minute(
    price: str, first_s: int = 1, next_s: int = 1, *, fee: str = "0", minimum: str = "0", cap: str = "", how: str = "free"
) -> Rate:
    """A price per minute in first/next increments of whole seconds."""
    tiers = [Tier(0, nano(price), 60_000, first_s * 1000)]
    if first_s != next_s:
        tiers.append(Tier(first_s * 1000, nano(price), 60_000, next_s * 1000))
    return Rate(f"{price} {first_s}/{next_s}", tuple(tiers), nano(fee), nano(minimum), Cap(nano(cap), how) if cap else None)


def tiered(*tiers: tuple[int, str, int], fee: str = "0") -> Rate:
    """(from second, price per minute, step in seconds)."""
    steps = tuple(Tier(start * 1000, nano(price), 60_000, step * 1000) for start, price, step in tiers)
    return Rate(str(tiers), steps, nano(fee))


def voice(rate: Rate, prefix: str = "", window: str | None = None, weight: int = 0) -> tuple[Rule, Rate, str]:
    """A rule with its rate for one prefix, all numbers if empty."""
    item = f"{prefix or 'any'} {window or 'always'}"
    return Rule(UsageKind.VOICE, prefix or None, window, rate.name, weight, item), rate, prefix


def tariff(
    *entries: tuple[Rule, Rate, str],
    windows: tuple[Window, ...] = (),
    mode: str = "up",
    decimals: int = 4,
    scope: str = "record",
    zone: str = "Europe/Berlin",
    priced_at: PricedAt = PricedAt.INCREMENT_START,
    allowances: tuple[Allowance, ...] = (),
    discounts: tuple[Discount, ...] = (),
    tariff_id: str = "t",
) -> Tariff:
    """One open version; each prefix is a destination of its own name."""
    limited_to = {to for one in allowances for to in one.destinations or ()}
    prefixes = sorted({prefix for _, _, prefix in entries if prefix} | limited_to)
    version = TariffVersion(
        "1",
        YEAR[0] - DAY_US * 700,
        FOREVER_AT,
        Rounding(scope, mode, decimals),
        priced_at,
        windows,
        tuple(Destination(prefix, (prefix,)) for prefix in prefixes),
        tuple({rate.name: rate for _, rate, _ in entries}.values()),
        tuple(rule for rule, _, _ in entries),
        allowances,
        discounts,
    )
    return Tariff(tariff_id, tariff_id, "EUR", zone, ServiceKind.TELECOM, (version,))


def book_of(*tariffs: Tariff) -> TariffBook:
    return compile_book(tariffs, span=YEAR)
