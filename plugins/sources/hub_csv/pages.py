"""Make the pages of a stream out of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from hub_csv import groups, query
from hub_csv.feeds import Feed
from hub_csv.parts import Part
from hub_csv.reading import SMALL, Reader, failures, key_of, pages, statement, usable, valued

Rows = Iterator[tuple[str, pa.Table]]


@dataclass(slots=True)
class Reading:
    """One read of a stream: parts from the oldest to the newest, and what is worth saying about it."""

    reader: Reader
    parts: Sequence[Part]
    notes: list[str] = field(default_factory=list)
    _disputed: set[int] = field(default_factory=set)

    def rows(self) -> Rows:
        """Yield tables of canonical rows; afterwards ``reader.rejected`` and ``notes`` are complete.

        Raises:
            SourceError: a file cannot be used.
        """
        self.parts = [query.resolved(self.reader, part, number) for number, part in enumerate(self.parts)]
        numbered = list(enumerate(self.parts))
        for number, part in numbered:
            self.reader.first_look(part, number)
        # Without lines every record with totals is an order of its own, and the slower grouping is not needed.
        grouping = any(part.has_lines for part in self.parts)
        together = [(n, part) for n, part in numbered if grouping and part.grouped is not None]
        alone = [(n, part) for n, part in numbered if not grouping or part.grouped is None]
        for table in dict.fromkeys(part.main.table for _, part in alone):
            self._settle(table, [(n, part) for n, part in alone if part.main.table == table])
        for number, part in alone:
            for feed in part.feeds:
                if feed.table != "consents":
                    yield from self._direct(part, number, feed)
        if together:
            yield from groups.rows(self.reader, together, self.notes)
        yield from self._statements(alone)

    def _settle(self, table: str, parts: list[tuple[int, Part]]) -> None:
        """Where several files have the same key, let the newest file's row stand."""
        if len(parts) < 2 or table in ("consents", "traits"):
            return
        reader = self.reader
        reader.con.execute(statement("make_keys"))
        for number, part in parts:
            with failures(part.label):
                rows = reader.fields(part, number, numbered=_numbered(part, part.main))
                main = part.main
                rows = valued(main, statement("kept", rows=rows, keep=main.keep))
                sql = statement("add_keys", number=number, key=key_of(main), rows=rows, reason=main.reason)
                added = reader.number(sql)
            self._learn(part, number, added)
        reader.con.execute(statement("make_stale"))
        stale = {number for (number,) in reader.fetch("select distinct part from stale")}
        if not stale:
            return
        self._disputed |= stale
        reader.con.execute(statement("make_contents"))
        for number, part in parts:
            rows = reader.fields(part, number, numbered=_numbered(part, part.main))
            content = f"[{', '.join(f'({sql})::varchar' for sql in _shared(parts, part))}]"
            reader.con.execute(
                statement("add_contents", number=number, key=key_of(part.main), rows=rows, content=content)
            )
        disagree = reader.number(statement("disagreeing"))
        if disagree:
            self.notes.append(disagreement(table, disagree, [part for _, part in parts]))

    def _direct(self, part: Part, number: int, feed: Feed) -> Rows:
        reader, stale = self.reader, number in self._disputed
        sql = reader.rows(part, number, feed, numbered=_numbered(part, feed), stale=stale)
        seen = broken = 0
        with failures(part.label):
            for page in pages(reader.con.sql(sql)):
                table, bad = usable(page)
                seen, broken = seen + page.num_rows, broken + bad
                if table.num_rows:
                    yield feed.table, table
            self._learn(part, number, seen)
            if broken:
                reader.look_again(part, number, feed, stale=stale)

    def _statements(self, numbered: list[tuple[int, Part]]) -> Rows:
        """Yield what people permitted, one row per address and channel over all files."""
        reader = self.reader
        said = [(n, part, feed) for n, part in numbered for feed in part.feeds if feed.table == "consents"]
        if not said:
            return
        for place, each in enumerate(said):
            self._gather(*each, block="add_statements" if place else "make_statements")
        broken, repeated = reader.fetch(statement("faults_of_statements"))[0]
        if broken:
            for number, part, feed in said:
                reader.look_again(part, number, feed, stale=number in self._disputed)
        if repeated:
            reader.con.execute(statement("pick_statements"))
        for page in pages(reader.con.sql(statement("statements"))):
            yield "consents", usable(page)[0]

    def _gather(self, number: int, part: Part, feed: Feed, block: str) -> None:
        """Put what one file says of permissions beside what the files before it said."""
        reader = self.reader
        rows = reader.rows(part, number, feed, numbered=_numbered(part, feed), stale=number in self._disputed)
        if block == "add_statements":
            reader.con.execute(_widened(feed))
        with failures(part.label):
            self._learn(part, number, reader.number(statement(block, rows=rows)))

    def _learn(self, part: Part, number: int, rows: int) -> None:
        if part.query is None:
            self.reader.learn(part.opened, number, part.main.table, rows)


def _widened(feed: Feed) -> str:
    return "; ".join(f"alter table statements add column if not exists {name} varchar" for name in feed.columns)


def _numbered(part: Part, feed: Feed) -> bool:
    return part.size <= SMALL or "_record" in feed.columns.get("line", "")


def _shared(parts: list[tuple[int, Part]], part: Part) -> list[str]:
    """Return the columns that all files of a table have, so that their contents can be compared."""
    names = set.intersection(*(set(other.main.columns) for _, other in parts))
    return [sql for name, sql in part.main.columns.items() if name in names]


def disagreement(table: str, count: int, parts: Sequence[Part]) -> str:
    """Say which file wins where several files differ."""
    labels = ", ".join(part.label for part in parts)
    what = table.replace("_", " ") if count != 1 else table.replace("_", " ").removesuffix("s")
    verb = "stand" if count != 1 else "stands"
    return (
        f"{count:,} {what} {verb} in several files with different content ({labels}); "
        f"the newest file, {parts[-1].label}, was taken"
    )
