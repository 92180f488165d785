"""Back to the bytes: the raw record of any stored row, from its landed file (in the member, for a zip)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ingest.zip_member import is_zip, open_single_member
from meterline.config import Config
from schemas.ports import CommitLog, Source


@dataclass
class RawRecords:
    """Reads raw records; keeps the last unzipped member, since rows of one file are asked for together."""

    config: Config
    log: CommitLog
    _sources: dict[int, Source] = field(default_factory=dict)
    _member: tuple[int, bytes] | None = None

    def source(self, source_id: int) -> Source:
        if not self._sources:
            self._sources = {source.source_id: source for source in self.log.sources()}
        return self._sources[source_id]

    def read(self, source_id: int, offset: int, length: int) -> bytes:
        """The raw record as it was received."""
        source = self.source(source_id)
        path = self.path(source)
        with path.open("rb") as content:
            if not is_zip(content.read(4)):
                content.seek(offset)
                return content.read(length)
        if self._member is None or self._member[0] != source_id:
            self._member = source_id, open_single_member(path.read_bytes(), source.name)[1]
        return self._member[1][offset : offset + length]

    def path(self, source: Source) -> Path:
        return self.config.landed / source.sha256[:2] / source.sha256
