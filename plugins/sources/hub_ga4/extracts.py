"""What is kept of each day to rebuild carts and consents without reading the export again.

A day's extract is a folder in the cache: the steps of carts, the signals of consent, and in ``day.json`` when its
events begin and end. It is named after the day, the mark of the day's files and the settings, so that a changed day has
none.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hub_ga4.days import Day
from hub_ga4.reading import Reader, Table
from hub_ga4.sql import literal, statement

_VERSION = 1
_STEPS, _SIGNALS, _TOLD = "steps.parquet", "signals.parquet", "day.json"


@dataclass(frozen=True, slots=True)
class Extracts:
    """The extracts in one folder; ``settings`` is what they depend on beyond the files."""

    folder: Path
    settings: Sequence[str | None]

    def keep(self, reader: Reader, table: Table) -> None:
        """Write a day's extract, whole or not at all."""
        target = self._place(table.day)
        if target.exists():
            return
        unfinished = reader.folder / target.name
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        attributable = statement("attributable")
        for name, file in (("keep_steps", _STEPS), ("keep_signals", _SIGNALS)):
            place = literal(str(unfinished / file))
            reader.con.execute(statement(name, days=table.rows, attributable=attributable, target=place))
        told = {"first": _text(table.first), "last": _text(table.last)}
        (unfinished / _TOLD).write_text(json.dumps(told), encoding="utf-8")
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished.replace(target)

    def missing(self, days: Iterable[Day]) -> list[Day]:
        """Return the days that have no extract."""
        return [day for day in days if not self._place(day).exists()]

    def steps(self, days: Iterable[Day]) -> list[Path]:
        """Return the files with the steps of carts."""
        return [self._place(day) / _STEPS for day in days]

    def signals(self, days: Iterable[Day]) -> list[Path]:
        """Return the files with the signals of consent."""
        return [self._place(day) / _SIGNALS for day in days]

    def last(self, day: Day) -> datetime | None:
        """Return when a day's last event happened, where its extract tells."""
        told = self._place(day) / _TOLD
        if not told.exists():
            return None
        last = json.loads(told.read_text(encoding="utf-8"))["last"]
        return datetime.fromisoformat(last) if last else None

    def tidy(self, days: Iterable[Day]) -> None:
        """Delete extracts of days as they no longer are."""
        keep = {self._place(day) for day in days}
        for path in self.folder.glob("*"):
            if path not in keep:
                shutil.rmtree(path, ignore_errors=True)

    def mark(self, days: Mapping[str, str]) -> str:
        """Return a text that changes with the days' files and the settings."""
        return self._digest(json.dumps(days, sort_keys=True))

    def _place(self, day: Day) -> Path:
        return self.folder / f"{day.day:%Y%m%d}-{self._digest(day.mark)}"

    def _digest(self, text: str) -> str:
        return hashlib.sha256(json.dumps([_VERSION, text, *self.settings]).encode()).hexdigest()[:16]


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
