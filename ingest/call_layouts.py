"""Call layouts: a YAML file that declares how call records are written, checked as a whole, with all its faults at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import yaml

from ingest.call_columns import CALL_KINDS, CallColumn, CallLayout, NumberRules
from ingest.call_layout_nodes import LayoutNodes
from ingest.call_stamps import STAMP_FORMATS
from schemas.errors import ConfigurationError, Fault
from schemas.quantities import UsageKind
from schemas.zones import zone_of

__all__ = ["CallColumn", "CallLayout", "NumberRules", "load_call_layout", "read_call_layout"]

FIELDS_MAX = 1_000
VALUE_BYTES_MAX = 32
CONSTANT_BYTES_MAX = 64
_PLACES = ("index", "name", "constant")
_LAYOUT_KEYS = (
    "layout", "format", "separator", "header_lines", "quote", "encoding", "zone", "ambiguous", "fields", "columns",
    "number_rules",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Target:
    """What a target's entry may hold beside its place."""

    has_constant: bool = False
    units: tuple[str, ...] = ()
    has_values: bool = False
    has_answered: bool = False
    has_format: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        extra = {"unit": self.units, "values": self.has_values, "answered": self.has_answered, "format": self.has_format}
        places = _PLACES if self.has_constant else _PLACES[:2]
        return (*places, *(key for key, allowed in extra.items() if allowed))


_TARGETS = {
    "node": _Target(has_constant=True),
    "sequence": _Target(),
    "kind": _Target(has_constant=True, has_values=True),
    "served_number": _Target(),
    "called_number": _Target(),
    "start_at": _Target(has_format=True),
    "duration": _Target(units=("s", "ms")),
    "bytes_up": _Target(units=("bytes",)),
    "bytes_down": _Target(units=("bytes",)),
    "volume": _Target(units=("bytes",)),
    "messages": _Target(units=("count",)),
    "disposition": _Target(has_answered=True),
}
_ALWAYS_NEEDED = ("node", "sequence", "kind", "served_number", "start_at")
_UNIT_OPTIONAL = ("messages",)


def load_call_layout(path: Path) -> CallLayout:
    """Read and check a layout file; raises ConfigurationError with every fault of the file."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        what = cause.strerror if isinstance(cause, OSError) else "not UTF-8"
        raise ConfigurationError(Fault(str(path), f"cannot be read: {what}", code="unreadable")) from cause
    return read_call_layout(text, str(path), hashlib.sha256(raw).hexdigest())


def read_call_layout(text: str, path: str, digest: str = "") -> CallLayout:
    """A layout from its text; `path` names it in faults. Raises ConfigurationError with every fault."""
    nodes = LayoutNodes(path)
    root = nodes.root(text)
    entries = nodes.mapping(root, "layout file", _LAYOUT_KEYS)
    for key in ("layout", "format", "columns"):
        if key not in entries and isinstance(root, yaml.MappingNode):
            nodes.fault(root, f"`{key}` is missing", must_be="given", code="missing_key")
    if "format" in entries:
        nodes.choice(entries["format"], "format", ("csv",))
    header_lines = _whole(nodes, entries, "header_lines", 0, 100) or 0
    columns = _columns(nodes, entries["columns"], header_lines) if "columns" in entries else ()
    layout = CallLayout(
        layout=_layout_name(nodes, entries),
        columns=columns,
        separator=_character(nodes, entries, "separator", ","),
        quote=_character(nodes, entries, "quote", ""),
        header_lines=header_lines,
        encoding=_choice(nodes, entries, "encoding", ("utf-8", "latin-1")),
        zone=_zone(nodes, entries, columns, root),
        ambiguous=_choice(nodes, entries, "ambiguous", ("reject", "earlier", "later")),
        fields=_whole(nodes, entries, "fields", 1, FIELDS_MAX),
        number_rules=_number_rules(nodes, entries["number_rules"]) if "number_rules" in entries else NumberRules(),
        digest=digest,
    )
    _check_whole(nodes, entries, layout)
    if nodes.faults:
        raise ConfigurationError(nodes.faults)
    return layout


def _layout_name(nodes: LayoutNodes, entries: dict[str, yaml.Node]) -> str:
    text = (nodes.text(entries["layout"], "layout") or "") if "layout" in entries else "unnamed"
    if not text.strip():
        nodes.fault(entries["layout"], "layout: no name", must_be="a name such as network_calls", code="bad_value")
    return text


def _whole(nodes: LayoutNodes, entries: dict[str, yaml.Node], key: str, low: int, high: int) -> int | None:
    return nodes.integer(entries[key], key, low, high) if key in entries else None


def _choice(nodes: LayoutNodes, entries: dict[str, yaml.Node], key: str, choices: tuple[str, ...]) -> str:
    """One of `choices`; the first is the default."""
    return (nodes.choice(entries[key], key, choices) if key in entries else None) or choices[0]


def _character(nodes: LayoutNodes, entries: dict[str, yaml.Node], key: str, default: str) -> str:
    if key not in entries:
        return default
    text = nodes.text(entries[key], key)
    if text is None:
        return default
    if len(text) == 1 and text.isascii() and not text.isalnum() and (text == "\t" or text.isprintable()):
        return text
    must_be = "one ASCII character, no letter or digit"
    nodes.fault(entries[key], f"{key}: not usable", was=repr(text), must_be=must_be, code="bad_value")
    return default


def _zone(nodes: LayoutNodes, entries: dict[str, yaml.Node], columns: tuple[CallColumn, ...], root: yaml.Node) -> str:
    if "zone" not in entries:
        start = next((column for column in columns if column.target == "start_at"), None)
        if start is not None and start.format in STAMP_FORMATS and STAMP_FORMATS[start.format].is_local:
            must_be, hint = "given for stamps in local time", "write `zone: UTC` if they are in UTC"
            nodes.fault(root, "`zone` is missing", must_be=must_be, next_step=hint, code="missing_key")
        return "UTC"
    name = nodes.text(entries["zone"], "zone")
    try:
        zone_of(name or "UTC")
    except ConfigurationError:
        must_be = "an IANA name such as Europe/Berlin"
        nodes.fault(entries["zone"], "zone: no such time zone", was=repr(name), must_be=must_be, code="unknown_zone")
    return name or "UTC"


def _number_rules(nodes: LayoutNodes, node: yaml.Node) -> NumberRules:
    known = ("international_prefix", "national_prefix", "country_code")
    entries = nodes.mapping(node, "number_rules", known)
    texts = dict.fromkeys(known, "")
    for key, entry in entries.items():
        text = nodes.text(entry, f"number_rules.{key}")
        limit = 3 if key == "country_code" else 8
        if text is not None and text.isascii() and text.isdigit() and len(text) <= limit and not (limit == 3 and text[0] == "0"):
            texts[key] = text
        elif text is not None:
            must_be = "1 to 3 digits, not beginning with 0" if limit == 3 else "1 to 8 digits"
            nodes.fault(entry, f"number_rules.{key}: not usable", was=repr(text), must_be=must_be, code="bad_value")
    if "national_prefix" in entries and "country_code" not in entries:
        nodes.fault(node, "number_rules: national_prefix without country_code", must_be="given together", code="missing_key")
    if texts["national_prefix"] and texts["national_prefix"] == texts["international_prefix"]:
        was = repr(texts["national_prefix"])
        nodes.fault(node, "number_rules: both prefixes are the same", was=was, must_be="different", code="bad_value")
    return NumberRules(**texts)


def _columns(nodes: LayoutNodes, node: yaml.Node, header_lines: int) -> tuple[CallColumn, ...]:
    entries = nodes.mapping(node, "columns", tuple(_TARGETS))
    columns = [_column(nodes, target, entry, header_lines) for target, entry in entries.items()]
    for target in _ALWAYS_NEEDED:
        if target not in entries:
            nodes.fault(node, f"columns.{target} is missing", must_be="given", code="missing_key")
    return tuple(columns)


def _column(nodes: LayoutNodes, target: str, node: yaml.Node, header_lines: int) -> CallColumn:
    rules, where = _TARGETS[target], f"columns.{target}"
    entries = nodes.mapping(node, where, rules.keys)
    given = [place for place in rules.keys if place in _PLACES and place in entries]
    if isinstance(node, yaml.MappingNode) and len(given) != 1:
        must_be = "exactly one of " + ", ".join(key for key in rules.keys if key in _PLACES)
        was = " and ".join(given) or "none"
        nodes.fault(node, f"{where}: its place is not clear", was=was, must_be=must_be, code="bad_place")
    index = nodes.integer(entries["index"], f"{where}.index", 0, FIELDS_MAX - 1) if "index" in entries else None
    name = nodes.text(entries["name"], f"{where}.name") if "name" in entries else None
    if name is not None and not header_lines:
        must_be = "by index, or header_lines at least 1"
        nodes.fault(entries["name"], f"{where}: by name, but the file has no header", must_be=must_be, code="bad_place")
    return CallColumn(
        target=target,
        index=index,
        name=name,
        constant=_constant(nodes, entries["constant"], target) if "constant" in entries else None,
        format=_stamp_format(nodes, entries, node) if rules.has_format else "",
        unit=_unit(nodes, entries, target, node) if rules.units else "",
        values=_values(nodes, entries, target, node) if rules.has_values or rules.has_answered else (),
    )


def _constant(nodes: LayoutNodes, node: yaml.Node, target: str) -> str | None:
    if target == "kind":
        return nodes.choice(node, "columns.kind.constant", tuple(CALL_KINDS))
    text = nodes.text(node, f"columns.{target}.constant")
    if text is not None and not (text.isprintable() and 0 < len(text.encode()) <= CONSTANT_BYTES_MAX):
        must_be = f"1 to {CONSTANT_BYTES_MAX} bytes of printable text"
        nodes.fault(node, f"columns.{target}.constant: not usable", was=repr(text), must_be=must_be, code="bad_value")
    return text


def _stamp_format(nodes: LayoutNodes, entries: dict[str, yaml.Node], node: yaml.Node) -> str:
    if "format" in entries:
        return nodes.choice(entries["format"], "columns.start_at.format", tuple(STAMP_FORMATS)) or ""
    nodes.fault(node, "columns.start_at.format is missing", must_be="one of " + ", ".join(STAMP_FORMATS), code="missing_key")
    return ""


def _unit(nodes: LayoutNodes, entries: dict[str, yaml.Node], target: str, node: yaml.Node) -> str:
    units = _TARGETS[target].units
    if "unit" in entries:
        return nodes.choice(entries["unit"], f"columns.{target}.unit", units) or units[0]
    if target not in _UNIT_OPTIONAL and isinstance(node, yaml.MappingNode):
        nodes.fault(node, f"columns.{target}.unit is missing", must_be="one of " + ", ".join(units), code="missing_key")
    return units[0]


def _values(nodes: LayoutNodes, entries: dict[str, yaml.Node], target: str, node: yaml.Node) -> tuple[tuple[str, str], ...]:
    """(text, meaning) of every text that the column may hold."""
    key = "values" if target == "kind" else "answered"
    if key not in entries:
        if "constant" not in entries and isinstance(node, yaml.MappingNode):
            nodes.fault(node, f"columns.{target}.{key} is missing", must_be="given", code="missing_key")
        return ()
    if "constant" in entries:
        nodes.fault(entries[key], f"columns.{target}: {key} beside constant", must_be="only one of them", code="bad_place")
    meanings = {"answered": entries[key]}
    if target == "kind":
        meanings = nodes.mapping(entries[key], "columns.kind.values", tuple(CALL_KINDS))
    pairs: dict[str, str] = {}
    for meaning, member in meanings.items():
        for text, text_node in nodes.texts(member, f"columns.{target}.{key}"):
            _check_value(nodes, text, text_node, f"columns.{target}.{key}", pairs, may_be_empty=target == "disposition")
            pairs[text] = meaning
    if not pairs:
        nodes.fault(entries[key], f"columns.{target}.{key}: empty", must_be="at least one text", code="bad_value")
    return tuple(pairs.items())


def _check_value(nodes: LayoutNodes, text: str, node: yaml.Node, name: str, taken: dict[str, str], *, may_be_empty: bool) -> None:
    if text in taken:
        nodes.fault(node, f"{name}: text given twice", was=repr(text), must_be="given once", code="repeated_value")
    elif len(text.encode()) > VALUE_BYTES_MAX or not (text or may_be_empty) or not text.isprintable():
        must_be = f"printable text of 1 to {VALUE_BYTES_MAX} bytes"
        nodes.fault(node, f"{name}: not usable", was=repr(text), must_be=must_be, code="bad_value")


def _check_whole(nodes: LayoutNodes, entries: dict[str, yaml.Node], layout: CallLayout) -> None:
    """What spans several entries."""
    if layout.quote and layout.quote == layout.separator:
        was = repr(layout.quote)
        nodes.fault(entries["quote"], "quote and separator are the same", was=was, must_be="different", code="bad_value")
    if "columns" not in entries:
        return
    for column in layout.columns:
        for text in (column.constant or "", *(text for text, _ in column.values)):
            if layout.encoding == "latin-1" and any(ord(letter) > 0xFF for letter in text):
                what = f"columns.{column.target}: not in the encoding"
                nodes.fault(entries["columns"], what, was=repr(text), must_be="latin-1 letters", code="bad_value")
    if layout.column("kind") is None:
        return
    node, volume = entries["columns"], [t for t in ("volume", "bytes_up", "bytes_down") if layout.column(t)]
    needs = {UsageKind.VOICE: ("duration", "called_number"), UsageKind.MESSAGE: ("called_number",), UsageKind.VOLUME: ()}
    for target in dict.fromkeys(target for kind in layout.kinds for target in needs[kind]):
        if layout.column(target) is None:
            nodes.fault(node, f"columns.{target} is missing", must_be="given for voice or messages", code="missing_key")
    if UsageKind.VOLUME in layout.kinds and not volume:
        nodes.fault(node, "columns: no volume", must_be="volume, or bytes_up and bytes_down", code="missing_key")
    if "volume" in volume and len(volume) > 1:
        nodes.fault(node, "columns: volume beside bytes_up or bytes_down", must_be="one or the other", code="bad_place")
    indexes = [column.index for column in layout.columns if column.index is not None]
    if layout.fields is not None and indexes and max(indexes) >= layout.fields:
        was, must_be = str(layout.fields), f"at least {max(indexes) + 1}"
        nodes.fault(entries["fields"], "fields: fewer than the columns need", was=was, must_be=must_be, code="bad_value")
