"""The SQLite file under the ledger: opening, upgrading, transactions, and reading in bulk."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.errors import BusyError, ConfigError, HubError
from hub.ledger import queries
from hub.ledger.times import to_micros

if TYPE_CHECKING:
    from collections.abc import Callable

    Clock = Callable[[], datetime]

FILE = "ledger.sqlite"
LOCK_WAIT = 30.0
CHUNK = 250_000


class Store:
    """One open SQLite file. The parts of the ledger derive from it and name their queries, nothing else.

    Every transaction takes the write lock at once and waits up to ``LOCK_WAIT`` seconds for it, since ``suppress`` and
    an unsubscribe link may write while a run delivers. Threads take turns: a plugin may store a token while it pushes.
    """

    def __init__(self, con: sqlite3.Connection, path: Path, clock: Clock) -> None:
        self._con = con
        self._depth = 0
        self._turn = threading.RLock()
        self.path = path
        self.clock = clock

    def close(self) -> None:
        """Close the file; what was committed is safe without it."""
        self._con.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all or nothing; a transaction inside another joins it.

        Raises:
            BusyError: another process kept the write lock for too long.
            HubError: the file cannot be written (the disk is full); nothing of the transaction was.
        """
        with self._turn:
            if self._depth:
                yield
                return
            with _clear_errors(self.path):
                self._con.execute("begin immediate")
            self._depth = 1
            try:
                with _clear_errors(self.path):
                    yield
                    self._con.execute("commit")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._con.execute("rollback")
                raise
            finally:
                self._depth = 0

    def durable(self, every_commit: bool) -> None:
        """Choose whether a commit survives a power cut (every one) or only the death of the process."""
        self._con.execute(f"pragma synchronous = {'full' if every_commit else 'normal'}")

    def flush(self) -> None:
        """Bring everything committed into the main file, and empty the log that may hold deleted text."""
        with _clear_errors(self.path):
            self._con.execute("pragma wal_checkpoint(truncate)").fetchall()

    def _now(self) -> int:
        return to_micros(self.clock())

    def execute(self, sql: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one named query; for the ledger's own parts."""
        with self._turn, _clear_errors(self.path):
            return self._con.execute(sql, values)

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one named query once per row; for the ledger's own parts."""
        with self._turn, _clear_errors(self.path):
            self._con.executemany(sql, rows)

    def _all(self, sql: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> list[Any]:
        with self._turn, _clear_errors(self.path):
            return self._con.execute(sql, values).fetchall()

    def _one(self, sql: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> Any:
        with self._turn, _clear_errors(self.path):
            return self._con.execute(sql, values).fetchone()

    def _chunks(self, sql: str, audience_id: int) -> Iterator[Sequence[Any]]:
        """Yield answers of a query that packs up to ``CHUNK`` rows into one: count, last key, packed columns."""
        after = ""
        while True:
            count, last, *columns = self._one(sql, {"audience_id": audience_id, "after": after, "size": CHUNK})
            if count:
                yield (count, *columns)
            if count < CHUNK:
                return
            after = last


def open_file(path_or_folder: Path) -> tuple[sqlite3.Connection, Path]:
    """Open the file, private to its owner, and bring its schema up to date.

    Raises:
        ConfigError: a newer hub wrote the file, or it is no ledger.
        BusyError: another process kept it locked.
    """
    path = path_or_folder if path_or_folder.suffix else path_or_folder / FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Only where it is new: closing any descriptor of a file gives up the locks that SQLite holds on it elsewhere in
    # this process, and the next process to leave takes itself for the last one and deletes the log still in use.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with _clear_errors(path):
        con = sqlite3.connect(path, timeout=LOCK_WAIT, isolation_level=None, check_same_thread=False)
        try:
            con.executescript(queries.load("store")["settings"])
            upgrade(con, queries.versions(), path)
        except BaseException:
            con.close()
            raise
    return con, path


def upgrade(con: sqlite3.Connection, steps: Sequence[tuple[int, str]], path: Path) -> None:
    """Run the steps that the file has not seen, each in a transaction of its own.

    Raises:
        ConfigError: the file's schema is newer than the last step.
    """
    known = steps[-1][0]
    if _version(con) > known:
        raise ConfigError(
            f"{path} has schema version {_version(con)}; this hub knows up to {known}",
            next_step="Upgrade hub to the version that wrote it.",
        )
    for number, script in steps:
        if number <= _version(con):
            continue
        con.execute("begin immediate")
        try:
            # Another process may have upgraded while this one waited for the lock.
            if number > _version(con):
                for statement in _statements(script):
                    con.execute(statement)
                con.execute(f"pragma user_version = {number}")
            con.execute("commit")
        except BaseException:
            con.execute("rollback")
            raise


def _version(con: sqlite3.Connection) -> int:
    return int(con.execute("pragma user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """Split a script at the semicolons that end statements."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Say in words what SQLite answers with a code."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise BusyError(
                f"{path} is being written by another process", next_step="Try again in a minute."
            ) from error
        raise HubError(
            f"{path} cannot be written: {error}",
            next_step="Free disk space or check the folder's permissions; the next run completes what was begun.",
        ) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        raise ConfigError(
            f"{path} is not a ledger, or is damaged: {error}", next_step="Restore it from your backup."
        ) from error
