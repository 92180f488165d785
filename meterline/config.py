"""`meterline.yaml`: where a home's reference files, drop folders and data lie, and how the line runs. All faults at once."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import ConfigurationError, Fault
from schemas.zones import zone_of

CONFIG_NAME = "meterline.yaml"

_KEYS: dict[str, type | tuple[type, ...]] = {
    "tenant": str,
    "currency": str,
    "zone": str,
    "buckets": int,
    "reference": dict,
    "drops": list,
    "settled_file_s": (int, float),
    "batch_rows": int,
    "bulk_rows": int,
    "roll_up_rows": int,
    "roll_up_s": (int, float),
    "poll_s": (int, float),
    "threads": int,
}
_REFERENCE_KEYS = {"accounts": str, "services": str, "tariffs": str}
_OPTIONAL_REFERENCE_KEYS = {"service_terms": str}
_DROP_KEYS = {"folder": str, "format": str, "layout": str}
FORMATS = ("calls", "nem12")


@dataclass(frozen=True, slots=True)
class Drop:
    """One drop folder: `name` is its folder as written, `layout` the call layout file (calls only)."""

    name: str
    folder: Path
    format: str
    layout: Path | None


@dataclass(frozen=True, slots=True)
class Config:
    """A checked configuration; every path is absolute. Sizes are in rows, waits in seconds."""

    home: Path
    tenant: str
    currency: str
    zone: str
    buckets: int
    accounts: Path
    services: Path
    tariffs: Path
    drops: tuple[Drop, ...]
    service_terms: Path | None = None
    settled_file_s: float = 5.0
    batch_rows: int = 1_000_000
    bulk_rows: int = 250_000
    roll_up_rows: int = 2_000_000
    roll_up_s: float = 300.0
    poll_s: float = 1.0
    threads: int = 1

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def commit_log(self) -> Path:
        return self.data / "commits.sqlite"

    @property
    def landed(self) -> Path:
        return self.data / "landed"

    @property
    def refused(self) -> Path:
        return self.home / "refused"

    @property
    def duplicate(self) -> Path:
        return self.home / "duplicate"

    @property
    def finance(self) -> Path:
        return self.home / "finance"


def load_config(home: Path) -> Config:
    """Read `HOME/meterline.yaml`. Raises ConfigurationError with every fault, each with the path of its key."""
    home = home.resolve()
    path = home / CONFIG_NAME
    if not path.is_file():
        raise ConfigurationError(
            Fault(
                str(path),
                "no configuration here",
                next_step="give the home folder with --home, or make one with 'meterline demo'",
            )
        )
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as cause:
        raise ConfigurationError(Fault(str(path), "not valid YAML", was=str(cause).replace("\n", " "))) from cause
    reader = _Reader(path)
    config = reader.config(home, tree if isinstance(tree, dict) else {})
    if reader.faults or config is None:
        raise ConfigurationError(reader.faults)
    return config


class _Reader:
    """Collects every fault while it reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[Fault] = []

    def config(self, home: Path, tree: dict[str, Any]) -> Config | None:
        self._check_keys("", tree, _KEYS, required=("currency", "zone", "reference", "drops"))
        reference = tree.get("reference") if isinstance(tree.get("reference"), dict) else {}
        assert isinstance(reference, dict)
        known = {**_REFERENCE_KEYS, **_OPTIONAL_REFERENCE_KEYS}
        self._check_keys("reference.", reference, known, required=tuple(_REFERENCE_KEYS))
        drops = [drop for index, entry in enumerate(tree.get("drops") or []) if (drop := self._drop(home, index, entry))]
        self._check_zone(tree.get("zone"))
        for name in ("buckets", "batch_rows", "bulk_rows", "roll_up_rows", "threads"):
            if isinstance(tree.get(name), int) and tree[name] < 1:
                self._fault(name, "too small", str(tree[name]), "1 or more")
        if self.faults:
            return None
        given = {name: tree[name] for name in _KEYS if name in tree and name not in ("reference", "drops", "tenant", "buckets")}
        return Config(
            home=home,
            tenant=tree.get("tenant", "default"),
            buckets=tree.get("buckets", 64),
            drops=tuple(drops),
            **{name: home / reference[name] for name in known if name in reference},
            **given,
        )

    def _drop(self, home: Path, index: int, entry: Any) -> Drop | None:
        where = f"drops[{index}]."
        if not isinstance(entry, dict):
            self._fault(where[:-1], "not a drop", repr(entry), "{folder: ..., format: ...}")
            return None
        before = len(self.faults)
        self._check_keys(where, entry, _DROP_KEYS, required=("folder", "format"))
        if entry.get("format") not in FORMATS:
            self._fault(where + "format", "unknown format", repr(entry.get("format")), " or ".join(FORMATS))
        if entry.get("format") == "calls" and "layout" not in entry:
            self._fault(where + "layout", "is missing", "", "the layout file of the call records")
        if len(self.faults) > before:
            return None
        layout = home / entry["layout"] if "layout" in entry else None
        return Drop(entry["folder"], home / entry["folder"], entry["format"], layout)

    def _check_zone(self, zone: Any) -> None:
        if isinstance(zone, str):
            try:
                zone_of(zone)
            except ConfigurationError as cause:
                self.faults += [Fault(f"{self.path}: zone", fault.what, repr(zone), fault.must_be) for fault in cause.faults]

    def _check_keys(self, prefix: str, tree: dict[str, Any], known: Any, required: tuple[str, ...]) -> None:
        for key, value in tree.items():
            if key not in known:
                near = difflib.get_close_matches(str(key), list(known), n=1)
                self._fault(prefix + str(key), "unknown key", next_step=f"did you mean {near[0]!r}?" if near else "")
            elif not isinstance(value, known[key]) or isinstance(value, bool):
                kinds = known[key] if isinstance(known[key], tuple) else (known[key],)
                self._fault(prefix + key, "wrong type", repr(value), " or ".join(kind.__name__ for kind in kinds))
        for key in required:
            if key not in tree:
                self._fault(prefix + key, "is missing")

    def _fault(self, key: str, what: str, was: str = "", must_be: str = "", next_step: str = "") -> None:
        self.faults.append(Fault(f"{self.path}: {key}", what, was, must_be, next_step, code="configuration"))
