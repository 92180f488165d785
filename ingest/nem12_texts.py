"""The quality of a day as a compact text for people and for rules that look for a method or a reason."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.nem12_fields import NO_METHOD
from ingest.nem12_rows import FLAG_V


def quality_texts(text: bytes, days: npt.NDArray[np.void], runs: npt.NDArray[np.void]) -> pa.StringArray:
    """Each different quality is written once, and days refer to it: most days of a file say the same."""
    _, sample, which = np.unique(days["quality_hash"], return_index=True, return_inverse=True)
    written = [_quality_text(text, days[index], runs) for index in sample]
    return pa.array(written, type=pa.string()).take(pa.array(which.reshape(-1)))


def _quality_text(text: bytes, day: npt.NDArray[np.void], runs: npt.NDArray[np.void]) -> str:
    """`A`, `S14:76:Communications Fault`, or runs `1-20:A;21-48:E52`; neighbors that say the same are one run."""
    if day["flag"] != FLAG_V:
        return _run_text(text, day)
    merged: list[tuple[int, int, str]] = []
    for run in runs[day["first_run"] : day["first_run"] + day["run_count"]]:
        said = _run_text(text, run)
        first = merged.pop()[0] if merged and merged[-1][2] == said else int(run["first"])
        merged.append((first, int(run["last"]), said))
    return merged[0][2] if len(merged) == 1 else ";".join(f"{first}-{last}:{said}" for first, last, said in merged)


def _run_text(text: bytes, row: npt.NDArray[np.void]) -> str:
    method = "" if row["method"] == NO_METHOD else f"{int(row['method']):02d}"
    code = text[row["code_from"] : row["code_to"]].decode("utf-8", "replace")
    reason = text[row["text_from"] : row["text_to"]].decode("utf-8", "replace").replace(";", ",")
    if text[max(int(row["text_from"]) - 1, 0) : row["text_from"]] == b'"':
        reason = reason.replace('""', '"')
    return f"{chr(row['flag'])}{method}:{code}:{reason}".rstrip(":")
