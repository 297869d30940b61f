"""Orders and carts whose records stand one per line: group them, number the lines."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from hub import api
from hub_csv.feeds import Feed, literal, merged
from hub_csv.parts import Part
from hub_csv.reading import SMALL, Reader, failures, pages, select_list, statement, usable, valued

Numbered = list[tuple[int, Part]]
_TOLD = ["_part", "_rowid", "_key", "_reason"]


def rows(reader: Reader, parts: Numbered, notes: list[str]) -> Iterator[tuple[str, pa.Table]]:
    """Yield orders or carts, then their lines, out of all files read as one."""
    _load(reader, parts)
    heads = merged([part.feeds[0] for _, part in parts])
    lines = merged([part.feeds[1] for _, part in parts if part.has_lines])
    key = api.TABLES[heads.table].key[1]
    _index(reader, heads, key)
    if reader.number(statement("spanning")):
        _settle(reader, parts, heads, notes)
        _index(reader, heads, key)
    starts = dict(reader.fetch(statement("group_starts")))
    repeated = reader.fetch(statement("repeated_heads"))[0][0]
    reader.con.execute(statement("make_refused"))
    of_heads = statement("first_heads_of_groups" if repeated else "heads_of_groups")
    yield from _batches(reader, parts, heads, of_heads, starts)
    # A line without its order's record has nothing to belong to, or else a refused order's lines would be left.
    of_lines = statement("lines_of_groups", keep=lines.keep)
    yield from _batches(reader, parts, lines, of_lines, starts)


def _load(reader: Reader, parts: Numbered) -> None:
    for place, (number, part) in enumerate(parts):
        key, head = part.grouped or ("", "")
        small = part.size <= SMALL
        source = reader.fields(part, number, numbered=small)
        if not small:
            source = f"select *, null::bigint as _row, null::bigint as _record, null::varchar as _raw from ({source})"
        with failures(part.label):
            name = "add_group" if place else "make_group"
            added = reader.number(statement(name, number=number, key=key, head=head, rows=source))
            reader.learn(part.opened, number, part.main.table, added)


def _index(reader: Reader, heads: Feed, key: str) -> None:
    reader.con.execute(statement("make_heads", id=heads.columns[key]))


def _settle(reader: Reader, parts: Numbered, heads: Feed, notes: list[str]) -> None:
    """Where several files have the same order, let the newest file's records stand."""
    reader.con.execute(statement("make_older"))
    content = ", ".join(f"({sql})::varchar" for sql in heads.columns.values())
    disagree = reader.number(statement("disagreeing_groups", content=f"[{content}]"))
    if disagree:
        labels = ", ".join(part.label for _, part in parts)
        notes.append(
            f"{disagree:,} of the {heads.table} stand in several files with different content ({labels}); "
            f"the newest file's were taken"
        )
    reader.con.execute(statement("delete_older"))


def _batches(
    reader: Reader, parts: Numbered, feed: Feed, rows: str, starts: dict[int, int]
) -> Iterator[tuple[str, pa.Table]]:
    origin = " ".join(f"when {number} then {literal(part.label)}" for number, part in parts)
    sql = statement(
        "group_rows",
        columns=select_list(feed),
        origin=f"case _part {origin} end",
        reason=feed.reason,
        rows=valued(feed, rows),
    )
    wanted: dict[int, dict[int, str]] = {}
    refused: list[str] = []
    for page in pages(reader.con.sql(sql)):
        table, broken = usable(page)
        if broken:
            for row in page.filter(page.column("_reason").is_valid()).select(_TOLD).to_pylist():
                wanted.setdefault(row["_part"], {})[row["_rowid"] - starts[row["_part"]] + 1] = row["_reason"]
                refused += [row["_key"]] if row["_key"] else []
        if table.num_rows:
            yield feed.table, table.drop_columns(["_part", "_rowid", "_key"])
    reader.con.execute(statement("add_refused"), {"keys": refused})
    for number, reasons in wanted.items():
        _look_again(reader, dict(parts)[number], number, feed.table, reasons)


def _look_again(reader: Reader, part: Part, number: int, table: str, reasons: dict[int, str]) -> None:
    rows = reader.fields(part, number, numbered=True)
    for row, record, raw in reader.fetch(statement("records", rows=rows, wanted=sorted(reasons))):
        reader.reject(part, table, reasons[row], raw, record)
