"""Kernels over records of rules (see `choices`), and how a winner is read: `rule_at`."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.compiled.timeline import NO_VERSION
from schemas.kernels import kernel
from schemas.kernels_inlined import tight_kernel

_NO_VERSION = NO_VERSION
_AT_INSTANT, _FOR_DESTINATION, _FIRST_RULE = 1, 2, 3  # offsets in a record


@tight_kernel
def rule_at(choices: Any, cell: Any, column: Any) -> Any:
    """The rule of a cell in a pattern column: >= 0, NO_RATE_AT_INSTANT or NO_RATE_FOR_DESTINATION; int64."""
    record = np.uint64(cell)
    offset = np.int64(choices[np.uint64(np.int64(choices[record]) + np.int64(column))])
    return np.int64(choices[record + np.uint64(offset)])


@tight_kernel
def _score(terms: Any, code: Any, ranks: Any, pattern: Any) -> Any:
    """What orders a rule among those of one prefix, -1 where its window does not hold."""
    window = terms[code, 2]
    rank = ranks[pattern, window] if window >= 0 else 0
    return -1 if window >= 0 and rank == 0 else terms[code, 1] * ranks.shape[1] + rank


@kernel()
def choose_rows(examples, first, count, code, depth, terms, versions, ranks, rows, is_tied):  # type: ignore[no-untyped-def]
    """The offset of the winner for each shape and pattern.

    examples: [shapes] a record of each shape; first, count, code, depth: as in `choices.Records`; terms: [codes, 3] version,
    weight > 0, window; versions: [patterns]; ranks: [patterns, windows + 1]; rows, is_tied: [shapes, patterns] outputs, the
    second 1 where several rules of the shortest depth are level.
    """
    for shape in range(len(examples)):
        low = first[examples[shape]]
        high = low + count[examples[shape]]
        for pattern in range(len(versions)):
            version = versions[pattern]
            best, best_score, best_depth, ties = -1, -1, 0, 0
            reaches = version == _NO_VERSION and high > low
            for slot in range(low, high):
                if terms[code[slot], 0] != version:
                    continue
                reaches = True
                if best >= 0 and depth[slot] > best_depth:
                    break
                score = _score(terms, code[slot], ranks, pattern)
                if score > best_score:
                    best, best_score, best_depth, ties = slot, score, depth[slot], 0
                elif score == best_score and score >= 0 and depth[slot] == 0:
                    ties = 1
            nothing = _AT_INSTANT if reaches else _FOR_DESTINATION
            rows[shape, pattern] = _FIRST_RULE + best - low if best >= 0 else nothing
            is_tied[shape, pattern] = ties


@kernel()
def find_level(  # type: ignore[no-untyped-def]
    by_shape, first_of_shape, first, count, code, depth, row, terms, versions, ranks, is_tied,
    price_of_row, rule_of_row, seen, found,
):  # fmt: skip
    """Pairs of rules that are level at different prices in some tied pattern, each pair once.

    by_shape: records in order of shapes, `first_of_shape`: [shapes + 1] into it; seen: u1[rules, rules] zeros; found: [n, 4]
    takes (pattern, record, winning row, other row). Returns how many were written, n at most.
    """
    written = 0
    for pattern in range(len(versions)):
        for shape in range(len(is_tied)):
            if not is_tied[shape, pattern]:
                continue
            for at in range(first_of_shape[shape], first_of_shape[shape + 1]):
                record = by_shape[at]
                best, best_score = -1, -1
                for slot in range(first[record], first[record] + count[record]):
                    if depth[slot] or terms[code[slot], 0] != versions[pattern]:
                        continue
                    score = _score(terms, code[slot], ranks, pattern)
                    if score > best_score:
                        best, best_score = slot, score
                if best < 0:
                    continue
                for slot in range(best + 1, first[record] + count[record]):
                    if depth[slot] or terms[code[slot], 0] != versions[pattern]:
                        continue
                    is_level = _score(terms, code[slot], ranks, pattern) == best_score
                    one, other = rule_of_row[row[best]], rule_of_row[row[slot]]
                    if is_level and price_of_row[row[slot]] != price_of_row[row[best]] and not seen[one, other]:
                        if written == len(found):
                            return written
                        seen[one, other] = 1
                        found[written, 0] = pattern
                        found[written, 1] = record
                        found[written, 2] = row[best]
                        found[written, 3] = row[slot]
                        written += 1
    return written
