"""Members that consent cleared: the only thing that delivery accepts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count as counter
from typing import TYPE_CHECKING

from hub.sql import digest_of

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_GATE = object()
_numbers = counter(1)


class Cleared:
    """Members that may be sent for one purpose, in a temporary table (or view) of the run's catalog session.

    The table has person_id, member_key (keyed hash of the main address), email and phone (each only if itself
    cleared), customer_id (where it is the main address), clearing record (record_source, record_basis, recorded_at),
    and whatever was attached. Only the gate makes one; everything else can make it smaller or attach columns, never
    add a row.
    """

    __slots__ = ("_con", "purpose", "table")

    def __init__(self, con: duckdb.DuckDBPyConnection, table: str, purpose: str, made_by: object) -> None:
        if made_by is not _GATE:
            raise TypeError("only the consent gate clears members")
        self._con = con
        self.table = table
        self.purpose = purpose

    def __len__(self) -> int:
        # fetchall, because a half-read answer bars the connection from everything else
        [(members,)] = self._con.execute(f"select count(*) from {self.table}").fetchall()
        return int(members)

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the table's columns."""
        return tuple(self._con.sql(f"select * from {self.table}").columns)

    def where(self, condition: str) -> Cleared:
        """Return those of the members for whom a SQL condition over the table's columns holds."""
        return self._derive(f"select * from {self.table} where {condition}")

    def view(self, condition: str) -> Cleared:
        """Return the same as ``where``, looked up whenever it is read: for many who are read once, to spare a copy.

        What the condition reads must stay as it is until then.
        """
        return self._derive(f"select * from {self.table} where {condition}", kind="view")

    def release(self) -> None:
        """Let go of the table, once others were derived from it: nobody can be sent by this one any more."""
        self._con.execute(f"drop table {self.table}")

    def attach(self, columns: str, joins: str = "") -> Cleared:
        """Return the same members with further columns.

        ``columns`` is a SQL select list over the alias ``c`` and the aliases of ``joins``, left joins that match at
        most once per member.

        Raises:
            ValueError: a join changed the number of members.
        """
        made = self._derive(f"select c.*, {columns} from {self.table} as c {joins}")
        if len(made) != len(self):
            raise ValueError("an attachment must keep every member exactly once")
        return made

    def digest(self, columns: str = "", joins: str = "") -> str:
        """Return what tells this set of members from any other, in whatever order it is read.

        It covers key and addresses, and ``columns`` (a SQL list over ``c`` and ``joins``, as ``attach`` takes them).
        It is for comparing with an earlier answer of the same hub, not a proof against somebody who forges one.
        """
        told = f"c.member_key, c.email, c.phone{columns and ', '}{columns}"
        [(digest,)] = self._con.execute(f"select {digest_of(told)} from {self.table} as c {joins}").fetchall()
        return str(digest)

    def read(self, size: int, order: str = "member_key") -> Iterator[pa.RecordBatch]:
        """Yield the members as Arrow record batches of at most ``size`` rows, ordered.

        The session can answer nothing else until the last batch was taken: temporary tables belong to one
        connection, and a connection streams one answer at a time.
        """
        relation = self._con.sql(f"select * from {self.table} order by {order}")
        yield from relation.to_arrow_reader(size)

    def _derive(self, select: str, kind: str = "table") -> Cleared:
        table = f"cleared_{next(_numbers)}"
        self._con.execute(f"create temporary {kind} {table} as {select}")
        return Cleared(self._con, table, self.purpose, _GATE)
