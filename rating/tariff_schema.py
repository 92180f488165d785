"""The JSON Schema of the tariff language, for editors: it completes keys and marks what cannot be read while one types."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any


def tariff_schema() -> dict[str, Any]:
    """JSON Schema 2020-12, as recorded from the readers (tests/tools/tariff_schema.py); a test holds the two together."""
    text = (importlib.resources.files("rating.language") / "tariff_schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
