"""Turn an opened file into a part of a stream: by its layout, by a mapping, or by a query's result."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from hub import api
from hub_csv.config import LINE_TABLES, REQUIRED, FileMapping, closest
from hub_csv.feeds import Cell, Feed, Formats, feed, literal, literals, typed
from hub_csv.files import Opened
from hub_csv.layouts import LAYOUTS, Layout, Rows

_OWN_WORDS = {("consents", column) for column in ("subject_kind", "channel", "basis", "dated_by")}
REFUND = "a negative total: a refund document"
_WORD = re.compile(r"[a-z_]+")
_METAFIELD = re.compile(r"\((?:customer|order)\.metafields\.(.+)\)\s*$")


@dataclass(frozen=True, slots=True)
class Query:
    """A mapping with a query, the files it reads as one, and the date of consents without one."""

    mapping: FileMapping
    opened: tuple[Opened, ...]
    dated: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """One opened file with what becomes of it. ``fields`` are names and the SQL over positions c0, c1 and so on."""

    opened: Opened
    stream: str
    title: str
    fields: Mapping[str, str]
    feeds: tuple[Feed, ...]
    fresh: datetime
    grouped: tuple[str, str] | None = None
    found_columns: tuple[str, ...] = ()
    ignored_columns: tuple[str, ...] = ()
    query: Query | None = None

    @property
    def label(self) -> str:
        """Return what messages call the file."""
        return self.opened.found.label

    @property
    def size(self) -> int:
        """Return about how many bytes of text the file has."""
        found = self.opened.found
        return found.size * (10 if found.zipped else 1)

    @property
    def has_lines(self) -> bool:
        """Tell whether several records may make one order or cart."""
        return self.grouped is not None and any(feed.table in LINE_TABLES for feed in self.feeds)

    @property
    def main(self) -> Feed:
        """Return the feed whose key tells whether two files speak of the same thing."""
        return self.feeds[0]


def in_utc(moment: datetime, timezone: str) -> datetime:
    """Read a time without an offset in the shop's zone."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)


def _timestamp(moment: datetime) -> str:
    return f"timestamp '{moment.astimezone(UTC).replace(tzinfo=None)}'"


def recognise(opened: Opened) -> Layout | None:
    """Return the layout that a file's headers show, or None."""
    has = {text.casefold() for text in opened.header}

    def shows(layout: Layout) -> bool:
        known = any(text.casefold() in has for text in layout.known_by)
        together = bool(layout.together) and all(text.casefold() in has for text in layout.together)
        other = any(text.casefold() in has for text in layout.unless)
        return (known or together) and not other

    return next((layout for layout in LAYOUTS if shows(layout)), None)


def known_headers() -> frozenset[str]:
    """Return every header that any layout knows, folded."""
    return frozenset(
        text.casefold() for layout in LAYOUTS for texts in layout.fields.values() for text in texts
    ) | frozenset(text.casefold() for layout in LAYOUTS for text in (*layout.known_by, *layout.ignored))


def of_layout(opened: Opened, layout: Layout, *, fresh: datetime, dated: datetime) -> Part:
    """Make the part of a recognised export.

    Raises:
        SourceError: a column is missing that the layout needs.
    """
    headers = {
        name: next((text for text in texts if opened.column(text) is not None), None)
        for name, texts in layout.fields.items()
    }
    for names in layout.needs:
        if not any(headers[name] for name in names):
            raise _missing(opened, [text for name in names for text in layout.fields[name]], f"a {layout.title} export")
    fields = {name: _position(opened, header) for name, header in headers.items()}
    fields["dated"] = _timestamp(dated)
    basename = PurePosixPath(opened.found.label).name.lower()
    fields |= {flag: str(basename.startswith(start)).lower() for flag, start in layout.named.items()}
    feeds = _feeds(layout, headers)
    extra = _extra(opened, layout) if layout.extra_traits else {}
    if extra:
        subject = next(rows for rows in layout.rows if rows.table == "customers").columns["customer_id"]
        fields |= {f"extra_{number}": _position(opened, header) for number, header in enumerate(extra.values())}
        feeds.append(_traits(subject, list(extra)))
    used = tuple(header for header in headers.values() if header) + tuple(extra.values())
    folded = {header.casefold() for header in used}
    rest = tuple(text for text in opened.header if text and text.casefold() not in folded)
    return Part(opened, layout.stream, layout.title, fields, tuple(feeds), fresh, layout.grouped, used, rest)


def _feeds(layout: Layout, headers: Mapping[str, str | None]) -> list[Feed]:
    has_lines = any(header for name, header in headers.items() if name.startswith("line_"))
    keep = layout.grouped[1] if layout.grouped else "true"
    return [
        feed(
            rows.table,
            _cells(rows, headers),
            Formats(),
            keep=rows.keep or keep,
            each=tuple(struct for word, struct in rows.each if headers[word]),
            refund=REFUND,
        )
        for rows in layout.rows
        if (rows.table not in LINE_TABLES or has_lines) and _says_something(rows, headers)
    ]


def _says_something(rows: Rows, headers: Mapping[str, str | None]) -> bool:
    return not rows.each or any(headers[word] for word, _ in rows.each)


def _cells(rows: Rows, headers: Mapping[str, str | None]) -> dict[str, Cell]:
    present = {name for name, header in headers.items() if header}
    cells = {}
    for column, sql in rows.columns.items():
        named = [word for word in _WORD.findall(sql) if word in headers]
        if named and not present.intersection(named) and "_head_id" not in sql:
            continue
        label = next((str(headers[word]) for word in named if headers[word]), column)
        cells[column] = Cell(sql, label, typed=(rows.table, column) in _OWN_WORDS or sql.startswith("'"))
    if rows.table == "consents":
        cells |= _dated(cells.get("recorded_at"), Formats())
    return cells


def _extra(opened: Opened, layout: Layout) -> dict[str, str]:
    known = {text.casefold() for texts in layout.fields.values() for text in texts}
    known |= {text.casefold() for text in layout.ignored}
    extra: dict[str, str] = {}
    for text in opened.header:
        if text and text.casefold() not in known:
            metafield = _METAFIELD.search(text)
            extra.setdefault(metafield[1].strip() if metafield else text, text)
    return extra


def _traits(subject: str, names: Sequence[str]) -> Feed:
    each = tuple(f"{{name: {literal(name)}, value: extra_{number}}}" for number, name in enumerate(names))
    cells = {
        "subject": Cell(subject, "subject"),
        "name": Cell("each.name", "name"),
        "value": Cell("each.value", "value"),
    }
    # A record without a subject is rejected once, as a customer; its traits just do not come.
    keep = f"text_of(each.value) is not null and {subject} is not null"
    return feed("traits", cells, Formats(), keep=keep, each=each)


def _position(opened: Opened, header: str | None) -> str:
    number = opened.column(header) if header else None
    return "null::varchar" if number is None else f"c{number}"


def _missing(opened: Opened, wanted: Sequence[str], what: str) -> api.SourceError:
    header = list(opened.header)
    shown = ", ".join(header[:12]) + (", …" if len(header) > 12 else "")
    names = " or ".join(f"'{text}'" for text in dict.fromkeys(wanted))
    near = closest(wanted[0], header)
    delimiter = next(
        (sign for sign in ";\t|," if sign != opened.delimiter and any(sign in text for text in header)), None
    )
    step = (
        f"Set delimiter = {delimiter!r}: that sign stands in the header, {opened.delimiter!r} does not separate it."
        if len(header) == 1 and delimiter
        else "Export the file again with this column, or correct the header or the mapping."
    )
    return api.SourceError(
        f"{opened.found.label} has no column {names}, needed for {what}; it has: {shown}{near}", next_step=step
    )


def of_mapping(opened: Opened, mapping: FileMapping, *, fresh: datetime, dated: datetime) -> Part:
    """Make the part of a file that a mapping reads by columns.

    Raises:
        SourceError: a mapped column is missing.
    """
    for column, header in {**mapping.columns, **mapping.traits}.items():
        if opened.column(header) is None:
            raise _missing(opened, [header], f"{mapping.table}.{column}")
    fields = {f"m_{column}": _position(opened, header) for column, header in mapping.columns.items()}
    fields["dated"] = _timestamp(dated)
    cells = {column: Cell(f"m_{column}", header) for column, header in mapping.columns.items()}
    return _mapped(opened, mapping, fields, cells, fresh)


def of_query(opened: tuple[Opened, ...], mapping: FileMapping, *, fresh: datetime, dated: datetime) -> Part:
    """Make the part of files that a query reads; its feeds are known when the query has run."""
    query = Query(mapping, opened, dated)
    return Part(opened[0], mapping.stream, mapping.table, {}, (), fresh, None, opened[0].header, (), query)


def of_result(part: Part, query: Query, types: Mapping[str, str]) -> Part:
    """Make the part of a query's result, whose columns have names and types of their own.

    Raises:
        SourceError: the query names a column that the table has not.
    """
    opened, mapping, dated = part.opened, query.mapping, query.dated
    known = [column.name for column in api.TABLES[mapping.table].columns]
    for name in types:
        if name not in known:
            raise api.SourceError(
                f"the query over {opened.found.label} gives '{name}', "
                f"which {mapping.table} has not{closest(name, known)}",
                next_step=f"Name the query's columns as in {mapping.table}: {', '.join(known)}.",
            )
    missing = [name for name in REQUIRED[mapping.table] if name not in types and name not in mapping.constants]
    if missing:
        raise api.SourceError(
            f"the query over {opened.found.label} gives no '{missing[0]}', which {mapping.table} needs",
            next_step=f"Add it to the query, or to constants: {missing[0]}.",
        )
    cells = {name: _of_type(f"m_{name}", name, type_) for name, type_ in types.items()}
    fields = {f"m_{name}": f'"{name}"' for name in types}
    fields["dated"] = _timestamp(dated)
    return _mapped(opened, mapping, fields, cells, part.fresh)


def _of_type(sql: str, name: str, type_: str) -> Cell:
    if type_.startswith("TIMESTAMP WITH TIME ZONE"):
        return Cell(f"timezone('UTC', {sql})", name, typed=True)
    if type_.startswith("TIMESTAMP") or (type_ == "DATE" and name != "birth_date"):
        return Cell(f"utc_of({sql}::timestamp)", name, typed=True)
    is_text = type_ in {"VARCHAR", "INTEGER", "BIGINT", "HUGEINT"} or type_.startswith(("DECIMAL", "DOUBLE", "FLOAT"))
    return Cell(f"{sql}::varchar" if is_text else sql, name, typed=not is_text, constant=type_ != "VARCHAR")


def _mapped(
    opened: Opened, mapping: FileMapping, fields: dict[str, str], cells: dict[str, Cell], fresh: datetime
) -> Part:
    own_status = "status" in cells
    cells |= {name: Cell(literal(value), name, constant=True) for name, value in mapping.constants.items()}
    keep = "true"
    formats = Formats(mapping.date_format, mapping.decimal, mapping.true_words, mapping.false_words)
    if mapping.table == "customers":
        cells = _customer_key(cells)
    if mapping.table == "consents":
        cells = _consent_cells(cells, formats)
        # An empty cell is no statement, as in the shop's own exports.
        keep = f"text_of({cells['status'].sql}) is not null" if own_status else keep
    if mapping.table == "orders" and own_status:
        cells["status"] = Cell(f"word_of({cells['status'].sql})", cells["status"].label)
    if mapping.table in LINE_TABLES:
        cells.setdefault("line", Cell("_record::varchar", "line"))
    refund = None if own_status else REFUND
    feeds = [feed(mapping.table, cells, formats, keep=keep, refund=refund)]
    if mapping.table == "traits" and "value" not in cells:
        feeds = []
    if mapping.traits:
        subject = cells.get("customer_id") or cells["subject"]
        fields |= {f"extra_{number}": _position(opened, text) for number, text in enumerate(mapping.traits.values())}
        feeds.append(_traits(f"id_of({subject.sql})", list(mapping.traits)))
    used = (*mapping.columns.values(), *mapping.traits.values())
    rest = tuple(text for text in opened.header if text and text not in used) if mapping.query is None else ()
    return Part(opened, mapping.stream, mapping.table, fields, tuple(feeds), fresh, None, used, rest)


def _customer_key(cells: dict[str, Cell]) -> dict[str, Cell]:
    """Key a customer without an id by e-mail, else phone."""
    ways = {"customer_id": "id_of({})", "email": "word_of({})", "phone": "id_of({})"}
    known = [way.format(cells[name].sql) for name, way in ways.items() if name in cells]
    return {**cells, "customer_id": Cell(f"coalesce({', '.join(known)})", "customer_id")} if known else cells


def _status(cell: Cell, formats: Formats) -> Cell:
    yes, no = literals(formats.true_words), literals(formats.false_words)
    word = f"word_of({cell.sql})"
    sql = (
        f"case when list_contains({yes}, {word}) then 'subscribed' when list_contains({no}, {word}) then 'never' "
        f"else {word} end"
    )
    return Cell(sql, cell.label, constant=cell.constant)


def _dated(said: Cell | None, formats: Formats) -> dict[str, Cell]:
    """Take a statement's own time, else the file's."""
    if said is None:
        return {"recorded_at": Cell("dated", "recorded_at", typed=True), "dated_by": Cell("'file'", "dated_by")}
    own = typed(said, api.Kind.TIME, formats)
    unread = None if said.typed else f"text_of({said.sql}) is not null and {own} is null"
    return {
        "recorded_at": Cell(f"coalesce({own}, dated)", said.label, typed=True, unread=unread),
        "dated_by": Cell(f"case when {own} is null then 'file' else 'record' end", "dated_by"),
    }


def _consent_cells(cells: dict[str, Cell], formats: Formats) -> dict[str, Cell]:
    """Date a statement by its own record, else by the file, and call a yes a single opt-in where no basis is told."""
    filled = {**_dated(cells.get("recorded_at"), formats), **cells}
    filled["recorded_at"] = _dated(cells.get("recorded_at"), formats)["recorded_at"]
    filled["status"] = status = _status(cells["status"], formats)
    if "basis" not in cells:
        filled["basis"] = Cell(f"case {status.sql} when 'subscribed' then 'opt_in_single' end", "basis")
    return filled
