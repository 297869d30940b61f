"""Tell what a file is, and make Parquet of what is not: JSON lines and Avro become what DuckDB reads fastest."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from hub import api
from hub_ga4.layout import arrow_schema, json_structure
from hub_ga4.sql import literal, scanned, statement

HEAD = 4096
_ROWS = 20_000
_EXPORT = (
    "Link the property to BigQuery (Analytics: Admin > Product links > BigQuery links), and extract the daily tables "
    "events_YYYYMMDD as Parquet, or as Avro or JSON lines."
)


def format_of(head: bytes, label: str) -> str:
    """Return parquet, avro, lines or array (of JSON) from a file's first bytes.

    Raises:
        SourceError: the file is no export of events; the message says which export is needed.
    """
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"Obj\x01"):
        return "avro"
    text = _plain(head).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text or text.startswith(b"{"):
        return "lines"
    if text.startswith(b"["):
        return "array"
    if text.startswith(b"#"):
        raise api.SourceError(
            f"{label} is a report downloaded from the Analytics screens: added up, without visitors or times; hub "
            "needs the export to BigQuery",
            next_step=_EXPORT,
        )
    if _looks_like_csv(text):
        raise api.SourceError(
            f"{label} is CSV, which cannot hold the event_params and items of an events table; hub needs the table as "
            "Parquet, Avro or JSON lines",
            next_step="Extract the table again with the format Parquet (bq extract --destination_format=PARQUET).",
        )
    raise api.SourceError(f"{label} is neither Parquet nor Avro nor JSON lines", next_step=_EXPORT)


def _plain(head: bytes) -> bytes:
    """Return the beginning of what a gzip file holds; anything else as it is."""
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head)
    except zlib.error:
        return head


def _looks_like_csv(text: bytes) -> bool:
    try:
        line = text.decode("utf-8-sig", "strict" if len(text) < HEAD else "ignore").splitlines()[0]
    except UnicodeDecodeError:
        return False
    return line.isprintable() and any(sign in line for sign in (",", ";", "\t", "event_"))


def from_json(con: duckdb.DuckDBPyConnection, path: Path, target: Path, format_: str) -> None:
    """Write JSON (``lines`` or ``array``) as Parquet: numbers in text become numbers, what is no event is marked."""
    structure = literal(json_structure())
    con.execute(statement("from_json", lines=_lines(path, format_), structure=structure, target=literal(str(target))))


def unusable(con: duckdb.DuckDBPyConnection, path: Path, format_: str) -> list[tuple[int, str]]:
    """Return number and text of everything in a JSON file that is no event."""
    query = statement("unusable", lines=_lines(path, format_), structure=literal(json_structure()))
    return con.execute(query).fetchall()


def _lines(path: Path, format_: str) -> str:
    with path.open("rb") as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
    return statement(
        "lines",
        path=scanned(path),
        format="'array'" if format_ == "array" else "'newline_delimited'",
        compression="'gzip'" if is_gzip else "'none'",
    )


def from_avro(path: Path, target: Path, label: str) -> None:
    """Write Avro as Parquet.

    Raises:
        SourceError: the file cannot be read to its end, or fastavro is not installed.
    """
    schema = arrow_schema()
    with pq.ParquetWriter(target, schema) as writer:
        records = _records(path, label)
        while rows := list(islice(records, _ROWS)):
            writer.write_table(_table(rows, schema, label))


def _records(path: Path, label: str) -> Iterator[Any]:
    try:
        import fastavro  # noqa: PLC0415 - an extra
    except ImportError:
        raise api.SourceError(
            f"{label} is Avro, which needs the package fastavro, which is not installed",
            next_step="Run `pip install 'audience-hub[avro]'`, or extract the tables as Parquet.",
        ) from None
    with path.open("rb") as file:
        try:
            yield from fastavro.reader(file)
        except (ValueError, EOFError, OSError, StopIteration) as error:
            raise api.SourceError(
                f"{label} cannot be read to its end ({type(error).__name__})",
                next_step="Extract or copy the file again.",
            ) from None


def _table(rows: list[Any], schema: pa.Schema, label: str) -> pa.Table:
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise api.SourceError(
            f"{label} has other columns than a table of events ({type(error).__name__})", next_step=_EXPORT
        ) from None
