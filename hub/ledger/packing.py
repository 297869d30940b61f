"""Columns that travel packed: out of SQLite as one text per column, into it as one compressed blob per batch.

SQLite joins a column into one text in C and Arrow splits it in C; a million rows as Python tuples cost
six times as much.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hub.ledger.states import LETTERS

HANDLE = ("email", "phone", "remote_id", "customer_id")
ROWS = pa.schema(
    [(name, pa.string()) for name in ("member_key", *HANDLE, "attributes_hash", "data_hash")],
)
"""What the ledger keeps of a batch that is on its way."""

_INSTANT = pa.timestamp("us")
_STATES = pa.array([state.value for state in LETTERS.values()])
_CODES = pa.array([ord(letter) for letter in LETTERS], pa.uint8())


def texts(packed: bytes | None) -> pa.Array:
    """Return a packed column of texts; an empty one is null."""
    return _split(packed).cast(pa.string())


def rare_texts(packed: bytes | None, keys: pa.Array) -> pa.Array:
    """Return a column of texts packed as lines of key and value, in the order of ``keys``; null for all others."""
    if not packed:
        return pa.nulls(len(keys), pa.string())
    pairs = pc.split_pattern(_split(packed).cast(pa.string()), pattern=" ", max_splits=1)
    places = pc.index_in(keys, value_set=pc.list_element(pairs, 0))
    return pc.list_element(pairs, 1).take(places)


def rare_instants(packed: bytes | None, keys: pa.Array) -> pa.Array:
    """Return a column of stored times packed as ``rare_texts`` are."""
    return rare_texts(packed, keys).cast(pa.int64()).cast(_INSTANT)


def instants(packed: bytes | None) -> pa.Array:
    """Return a packed column of stored times."""
    return _split(packed).cast(pa.string()).cast(pa.int64()).cast(_INSTANT)


def states(packed: bytes | None) -> pa.Array:
    """Return a packed column of state letters as words."""
    data = packed or b""
    letters = pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])
    return _STATES.take(pc.index_in(letters, value_set=_CODES))


def pack(rows: pa.Table) -> bytes:
    """Compress the rows of a batch."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(
        sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    ) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


def unpack(blob: bytes) -> pa.Table:
    """Return the rows of a batch that were packed; an identifier that hub did not keep then is null."""
    with pa.ipc.open_stream(blob) as reader:
        rows = reader.read_all()
    for name in HANDLE:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    return rows


def handle_of(email: str | None, phone: str | None, remote_id: str | None, customer_id: str | None = None) -> str:
    """Return the identifiers by which a destination can find a member again.

    An e-mail alone stands as it is, since that is what a million members have; anything else is JSON.
    """
    if email is not None and phone is remote_id is customer_id is None and not email.startswith("{"):
        return email
    known = zip(HANDLE, (email, phone, remote_id, customer_id), strict=True)
    return json.dumps({name: value for name, value in known if value is not None})


def identifiers_in(handle: str | None) -> dict[str, str]:
    """Return the identifiers that a handle holds, by name."""
    if not handle:
        return {}
    return json.loads(handle) if handle.startswith("{") else {"email": handle}


def listed(rows: pa.Table, name: str) -> list[Any]:
    """Return a column as a list."""
    column = rows.column(name)
    return [None] * len(column) if column.null_count == len(column) else column.to_pylist()


def keys_json(keys: Sequence[str]) -> str:
    """Return keys as SQL reads a list of them."""
    return json.dumps(list(keys))


def _split(packed: bytes | None) -> pa.Array:
    text = pa.array([packed or b""], pa.large_binary())
    values = pc.split_pattern(text, pattern=b"\n").flatten()
    return pc.if_else(pc.equal(values, b""), None, values)
