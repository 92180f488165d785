"""A NEM12 file as records: its order checked, its rows filled by the kernels, and everything wrong with it collected."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ingest.nem12_channels import INTERVALS_MAX, Channels, header_faults, read_channels
from ingest.nem12_days import read_days, read_runs
from ingest.nem12_faults import FaultList, day_fault, misplaced_fault, run_fault
from ingest.nem12_lines import LineKind, Text, kinds_before, lines_of, misplaced_lines
from ingest.nem12_quality import finish_days
from ingest.nem12_rows import DAY, RUN
from schemas.errors import Fault


class Nem12Reading:
    """One file while it is read. Each step adds to `faults`; rows and values mean something only if there is none at the end."""

    def __init__(self, text: bytes, line_feeds: int, file_name: str) -> None:
        self.text = text
        self.file_name = file_name
        self.faults = FaultList()
        self._bytes: Text = np.frombuffer(text, dtype=np.uint8)
        self._lines = lines_of(self._bytes, line_feeds)
        self._kinds: npt.NDArray[np.uint8] = np.ascontiguousarray(self._lines["kind"])

    def check_lines(self) -> None:
        """Order of the records, control characters, the first and the last record."""
        before = kinds_before(self._kinds)
        wrong = misplaced_lines(self._kinds, before)
        self.faults.add_each(
            wrong,
            lambda place: misplaced_fault(
                self.text, self._lines[wrong[place]], LineKind(int(before[wrong[place]])), self._where(wrong[place])
            ),
        )
        control = np.flatnonzero(self._lines["has_control"])
        what = "a control character inside a line"
        self.faults.add_each(
            control, lambda place: Fault(self._where(control[place]), what, must_be="printable text", code="control_character")
        )
        for line in self._of_kind(LineKind.HEADER)[:1]:
            for fault in header_faults(self._line_text(line), self._where(line)):
                self.faults.add(int(line), fault)
        self._check_end()

    def _check_end(self) -> None:
        ends = self._of_kind(LineKind.END)
        longer = ends[(self._lines["end"] - self._lines["start"])[ends] != 3]
        what = "the end record holds more"
        self.faults.add_each(
            longer,
            lambda place: Fault(
                self._where(longer[place]), what, repr(self._line_text(longer[place])[:40]), "900 alone", code="field_count"
            ),
        )
        filled = np.flatnonzero(self._kinds != LineKind.BLANK)
        if not filled.size:
            fault = Fault(self.file_name, "the file is empty", must_be="a NEM12 file from 100 to 900", code="empty_file")
            self.faults.add(len(self._lines), fault)
        elif self._kinds[filled[-1]] != LineKind.END:
            was, next_step = repr(self._line_text(filled[-1])[:40]), "the file seems cut off: ask for it again"
            where = self._where(filled[-1])
            fault = Fault(where, "the file does not end", was, "a 900 as the last record", next_step, "missing_end")
            self.faults.add(len(self._lines), fault)

    def read_channels(self, tenant: str) -> Channels:
        """The 200 records."""
        at = self._of_kind(LineKind.CHANNEL)
        texts, wheres = [self._line_text(line) for line in at], [self._where(line) for line in at]
        channels, found = read_channels(texts, wheres, tenant=tenant)
        for line, faults in zip(at.tolist(), found, strict=True):
            for fault in faults:
                self.faults.add(line, fault)
        return channels

    def read_records(self, channels: Channels) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void], npt.NDArray[np.int64]]:
        """(days, runs, values): DAY and RUN rows of the 300 and 400 records, and all interval values."""
        days, runs = self._joined_rows(channels)
        # A line shorter than its number of values is wrong for sure: such lines share one space, so that no file can ask for more
        # memory than it has bytes.
        room = np.where(days["end"] - days["start"] > days["count"], days["count"], 0).astype(np.int64)
        total = int(room.sum())
        days["first_value"] = np.where(room > 0, np.cumsum(room) - room, total)
        values = np.zeros(total + INTERVALS_MAX, dtype=np.int64)
        read_days(self._bytes, channels.rows, days, values)
        read_runs(self._bytes, runs)
        finish_days(self._bytes, channels.rows, days, runs, values)
        self._note_records(channels, days, runs)
        return days, runs, values[:total]

    def _joined_rows(self, channels: Channels) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
        """Rows for all 300 and 400 lines that know their lines, each other and their channel."""
        day_lines, run_lines = self._of_kind(LineKind.DAY), self._of_kind(LineKind.RUN)
        days, runs = np.zeros(len(day_lines), dtype=DAY), np.zeros(len(run_lines), dtype=RUN)
        for rows, at in ((days, day_lines), (runs, run_lines)):
            rows["line"], rows["start"], rows["end"] = at, self._lines["start"][at], self._lines["end"][at]
        days["channel"] = (np.cumsum(self._kinds == LineKind.CHANNEL) - 1)[day_lines]
        if len(channels.rows):
            days["count"] = np.where(days["channel"] >= 0, channels.rows["count"][days["channel"]], 0)
        runs["day"] = (np.cumsum(self._kinds == LineKind.DAY) - 1)[run_lines]
        days["first_run"] = np.searchsorted(runs["day"], np.arange(len(days)))
        days["run_count"] = np.searchsorted(runs["day"], np.arange(len(days)), side="right") - days["first_run"]
        return days, runs

    def _note_records(self, channels: Channels, days: npt.NDArray[np.void], runs: npt.NDArray[np.void]) -> None:
        wrong_days, wrong_runs = days[days["fault"] != 0], runs[runs["fault"] != 0]

        def fault_of_day(place: int) -> Fault:
            row = wrong_days[place]
            minutes = int(channels.rows["step_s"][row["channel"]]) // 60
            return day_fault(self.text, row, self._where(row["line"]), minutes)

        def fault_of_run(place: int) -> Fault:
            row = wrong_runs[place]
            return run_fault(self.text, row, self._where(row["line"]), int(days["count"][row["day"]]) if row["day"] >= 0 else 0)

        self.faults.add_each(wrong_days["line"], fault_of_day)
        self.faults.add_each(wrong_runs["line"], fault_of_run)

    def _where(self, line: np.int64) -> str:
        return f"{self.file_name}, line {int(line) + 1}"

    def _line_text(self, line: np.int64) -> str:
        return self.text[int(self._lines["start"][line]) : int(self._lines["end"][line])].decode("utf-8", "replace")

    def _of_kind(self, kind: LineKind) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self._kinds == kind)
