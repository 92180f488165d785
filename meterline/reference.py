"""Reference data as the line uses it: a pinned copy in the data folder, compiled; loading a new set is a commit of its own."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from accounts.directory import Directory, compile_directory
from accounts.reference_files import SERVICE_TERMS, read_accounts, read_service_terms, read_services
from ingest.call_layouts import CallLayout, load_call_layout
from meterline.config import CONFIG_NAME, Config
from meterline.store.durable import durable_put, durable_put_all, sha256_hex
from rating.agreed_terms import agreed_terms
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.tariff import Tariff
from rating.price_files import load_price_files
from rating.tariff_files import load_tariffs
from rating.utility.supply_books import SupplyBooks, supply_books
from schemas.errors import ConfigurationError, Fault
from schemas.ports import CommitDraft, CommitLog
from schemas.zones import instant_us, moment_of

COMMIT_KIND = "reference"
ACCOUNT_KEYS = {"account_key": pl.Int32, "account_id": pl.String}
_KEYS_PER_TARIFF = 1 << 16  # rule keys: tariff key in the upper half, the rule's place in its tariff in the lower


@dataclass
class Reference:
    """One pinned set, compiled. `set_id` is the SHA-256 over its files; a bill run pins it."""

    set_id: str
    folder: Path
    accounts: pl.DataFrame
    services: pl.DataFrame
    service_terms: pl.DataFrame  # [line, service_id, term, value, effective_from_at, effective_to_at], texts as agreed
    agreed: pl.DataFrame  # rating.agreed_terms: the same, read
    dynamic_prices: Mapping[tuple[str, str], pl.DataFrame]  # by tariff id and file
    calorific: Mapping[tuple[str, str], Mapping[str, int]]  # by tariff id and file, then by period
    tariffs: tuple[Tariff, ...]
    layouts: Mapping[str, CallLayout]  # by drop folder name
    directory: Directory
    tariff_keys: Mapping[str, int]  # content hash -> permanent key
    _books: dict[tuple[int, int], TariffBook] = field(default_factory=dict, repr=False)
    _supply: dict[tuple[int, int], SupplyBooks] = field(default_factory=dict, repr=False)
    _rule_keys: dict[tuple[int, int], npt.NDArray[np.int32]] = field(default_factory=dict, repr=False)

    def book(self, first_at: int, last_at: int) -> TariffBook:
        """The tariffs compiled for usage that starts in the whole years around [first_at, last_at] (us UTC)."""
        years = moment_of(first_at).year, moment_of(last_at).year
        for (first, last), book in self._books.items():
            if first <= years[0] and years[1] <= last:
                return book
        span = (
            instant_us(datetime(years[0], 1, 1, tzinfo=UTC)) - 86_400_000_000,
            instant_us(datetime(years[1] + 1, 1, 1, tzinfo=UTC)) + 86_400_000_000,
        )
        self._books[years] = compile_book(self.tariffs, span=span)
        return self._books[years]

    def supply_books(self, first_at: int, last_at: int) -> SupplyBooks:
        """The same book with what metered supply is measured by."""
        book = self.book(first_at, last_at)
        if book.span not in self._supply:
            self._supply[book.span] = supply_books(book, self.dynamic_prices)
        return self._supply[book.span]

    def rule_keys(self, book: TariffBook) -> npt.NDArray[np.int32]:
        """Permanent key of each rule of a book, by rule index."""
        if book.span in self._rule_keys:
            return self._rule_keys[book.span]
        places: dict[str, int] = {}
        keys = np.empty(len(book.rules), np.int32)
        hashes = {tariff.tariff_id: tariff.content_hash for tariff in self.tariffs}
        for index, rule in enumerate(book.rules):
            place = places.get(rule.tariff_id, 0)
            places[rule.tariff_id] = place + 1
            keys[index] = self.tariff_keys[hashes[rule.tariff_id]] * _KEYS_PER_TARIFF + place
        self._rule_keys[book.span] = keys
        return keys


def reference_files(config: Config) -> dict[str, bytes]:
    """The files of a set by their name inside it: accounts, services, their terms, tariffs with their decks, layouts."""
    faults: list[Fault] = []
    found: dict[str, bytes] = {}
    wanted = {f"accounts{config.accounts.suffix}": config.accounts, f"services{config.services.suffix}": config.services}
    if config.service_terms is not None:
        wanted[f"service_terms{config.service_terms.suffix}"] = config.service_terms
    for drop in config.drops:
        if drop.layout is not None:
            wanted[f"layouts/{drop.layout.name}"] = drop.layout
    if not config.tariffs.is_dir():
        faults.append(Fault(str(config.tariffs), "no such tariff folder", next_step="check reference.tariffs in meterline.yaml"))
    else:
        wanted |= {f"tariffs/{p.relative_to(config.tariffs)}": p for p in sorted(config.tariffs.rglob("*")) if p.is_file()}
    for name, path in wanted.items():
        if path.is_file():
            found[name] = path.read_bytes()
        else:
            faults.append(Fault(str(path), "no such reference file", next_step="check meterline.yaml"))
    if faults:
        raise ConfigurationError(faults)
    return found


def set_id_of(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.hexdigest()


def pinned_notes(log: CommitLog) -> Mapping[str, Any] | None:
    """The notes of the newest reference commit, or None before the first."""
    loads = log.notes(COMMIT_KIND)
    return loads[-1][1] if loads else None


def open_reference(config: Config, log: CommitLog, notes: Mapping[str, Any] | None = None) -> Reference:
    """The newest pinned set (or the one of given notes), compiled."""
    pinned = notes if notes is not None else pinned_notes(log)
    if pinned is None:
        raise ConfigurationError(
            Fault(str(config.home), "no reference data loaded yet", next_step="run 'meterline run --until-idle'")
        )
    _refuse_changed_shape(config, pinned)
    folder = config.data / "reference" / pinned["set"]
    return _compile(config, folder, pinned["set"], _read_account_keys(config, pinned), _tariff_keys(log))


def load_reference(config: Config, log: CommitLog, *, check: Any = None) -> Reference:
    """Pin the home's reference files if they changed, as a commit; returns the set in force.

    `check(new, old)` may raise to refuse a set that would move committed usage.
    """
    old = pinned_notes(log)
    _refuse_changed_shape(config, old)
    try:
        files = reference_files(config)
    except ConfigurationError:
        if old is None:
            raise
        files = {}
    set_id = set_id_of(files) if files else (old or {})["set"]
    if old is not None and old["set"] == set_id:
        return open_reference(config, log)
    folder = config.data / "reference" / set_id
    _validate_in_place(config)
    durable_put_all([(folder / name, content) for name, content in files.items()])
    account_keys = _read_account_keys(config, old) if old is not None else {}
    accounts = read_accounts(_one(folder, "accounts"), currency=config.currency)
    account_keys |= _new_keys(accounts["account_id"].to_list(), account_keys)
    tariff_keys = _tariff_keys(log)
    new_tariffs = _new_keys([tariff.content_hash for tariff in _pinned_tariffs(folder / "tariffs")], tariff_keys)
    reference = _compile(config, folder, set_id, account_keys, tariff_keys | new_tariffs)
    if check is not None and old is not None:
        check(reference)
    log.commit(
        CommitDraft(
            COMMIT_KIND,
            versions={("reference", 0): log.versions(["reference"]).get(("reference", 0), 0)},
            notes={
                "set": set_id,
                "account_keys": _write_account_keys(config, account_keys),
                "new_tariffs": new_tariffs,
                "buckets": config.buckets,
                "zone": config.zone,
                "tenant": config.tenant,
                "currency": config.currency,
            },
        )
    )
    return reference


def _refuse_changed_shape(config: Config, pinned: Mapping[str, Any] | None) -> None:
    """What stored rows were laid out by cannot change under them."""
    if pinned is None:
        return
    faults = [
        Fault(
            f"{config.home / CONFIG_NAME}: {name}",
            "differs from what the data folder was begun with",
            repr(getattr(config, name)),
            repr(pinned[name]),
            "put it back, or begin a new home and drop the files there",
            code="changed_shape",
        )
        for name in ("tenant", "currency", "zone", "buckets")
        if getattr(config, name) != pinned[name]
    ]
    if faults:
        raise ConfigurationError(faults)


def _validate_in_place(config: Config) -> None:
    """Read the files where people edit them first, so that a fault names their path."""
    faults: list[Fault] = []
    tariff_ids: list[str] = []
    try:
        tariffs = load_tariffs(config.tariffs)
        tariff_ids = [tariff.tariff_id for tariff in tariffs]
        _price_files(tariffs, config.tariffs)
    except ConfigurationError as cause:
        faults += cause.faults
    try:
        accounts = read_accounts(config.accounts, currency=config.currency)
        if tariff_ids:
            services = read_services(config.services, accounts, tariff_ids, zone=config.zone)
            if config.service_terms is not None:
                texts = read_service_terms(config.service_terms, services, zone=config.zone)
                agreed_terms(texts, str(config.service_terms))
    except ConfigurationError as cause:
        faults += cause.faults
    for drop in config.drops:
        if drop.layout is not None:
            try:
                load_call_layout(drop.layout)
            except ConfigurationError as cause:
                faults += cause.faults
    if faults:
        raise ConfigurationError(faults)


def _compile(config: Config, folder: Path, set_id: str, account_keys: dict[str, int], tariff_keys: dict[str, int]) -> Reference:
    tariffs = _pinned_tariffs(folder / "tariffs")
    accounts = read_accounts(_one(folder, "accounts"), currency=config.currency)
    tariff_ids = tuple(tariff.tariff_id for tariff in tariffs)
    services = read_services(_one(folder, "services"), accounts, list(tariff_ids), zone=config.zone)
    directory = compile_directory(accounts, services, buckets=config.buckets, tariff_ids=tariff_ids, account_keys=account_keys)
    layouts = {
        drop.name: load_call_layout(folder / "layouts" / drop.layout.name) for drop in config.drops if drop.layout is not None
    }
    terms = next((path for path in folder.iterdir() if path.stem == "service_terms"), None)
    agreed = pl.DataFrame(schema=SERVICE_TERMS) if terms is None else read_service_terms(terms, services, zone=config.zone)
    prices, calorific = _price_files(tariffs, folder / "tariffs")
    read = agreed_terms(agreed, terms.name if terms is not None else "service_terms")
    return Reference(
        set_id, folder, accounts, services, agreed, read, prices, calorific, tariffs, layouts, directory, tariff_keys
    )  # fmt: skip


def _price_files(
    tariffs: Sequence[Tariff], folder: Path
) -> tuple[dict[tuple[str, str], pl.DataFrame], dict[tuple[str, str], dict[str, int]]]:
    """Dynamic prices and calorific values that tariffs name, by tariff id and file; the faults of all files at once."""
    faults: list[Fault] = []
    prices: dict[tuple[str, str], pl.DataFrame] = {}
    calorific: dict[tuple[str, str], dict[str, int]] = {}
    for tariff in tariffs:
        try:
            own_prices, own_values = load_price_files(tariff, folder)
        except ConfigurationError as cause:
            faults += cause.faults
            continue
        prices |= {(tariff.tariff_id, file): frame for file, frame in own_prices.items()}
        calorific |= {(tariff.tariff_id, file): values for file, values in own_values.items()}
    if faults:
        raise ConfigurationError(faults)
    return prices, calorific


@lru_cache(maxsize=8)
def _pinned_tariffs(folder: Path) -> tuple[Tariff, ...]:
    """The tariffs of a pinned set, in the order of a book. A set is named by its content, so one reading serves the process."""
    return tuple(sorted(load_tariffs(folder), key=lambda tariff: tariff.tariff_id))


def _one(folder: Path, stem: str) -> Path:
    return next(path for path in sorted(folder.iterdir()) if path.stem == stem)


def _tariff_keys(log: CommitLog) -> dict[str, int]:
    return {name: key for _, load in log.notes(COMMIT_KIND) for name, key in load["new_tariffs"].items()}


def _write_account_keys(config: Config, keys: Mapping[str, int]) -> str:
    """Put the permanent keys of all accounts ever loaded beside the sets; returns the file's name in the data folder."""
    frame = pl.DataFrame({"account_key": list(keys.values()), "account_id": list(keys)}, schema=ACCOUNT_KEYS)
    content = io.BytesIO()
    frame.sort("account_key").write_parquet(content, compression="zstd")
    name = f"reference/account_keys-{sha256_hex(content.getbuffer())}.parquet"
    durable_put(config.data / name, content.getbuffer())
    return name


def _read_account_keys(config: Config, notes: Mapping[str, Any]) -> dict[str, int]:
    frame = pl.read_parquet(config.data / notes["account_keys"])
    return dict(zip(frame["account_id"].to_list(), frame["account_key"].to_list(), strict=True))


def _new_keys(names: list[str], known: Mapping[str, int]) -> dict[str, int]:
    """Permanent keys for names never seen before, in sorted order after the largest key."""
    first = max(known.values(), default=-1) + 1
    new = sorted(set(names) - set(known))
    return {name: first + place for place, name in enumerate(new)}
