"""The ledger of one client: what was intended, sent and confirmed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hub.ledger.audiences import Audiences
from hub.ledger.blocks import BlockList
from hub.ledger.members import Membership
from hub.ledger.notes import Notes
from hub.ledger.people import People
from hub.ledger.runs import Runs
from hub.ledger.store import open_file

if TYPE_CHECKING:
    from collections.abc import Callable


class Ledger(Runs, Audiences, Membership, BlockList, People, Notes):
    """Everything hub must remember because it cannot be read again. See ``hub.ledger.lock`` for one run at a time."""

    @classmethod
    def open(cls, path_or_folder: Path, clock: Callable[[], datetime]) -> Self:
        """Open a client's ledger, or make one; a path with a suffix is the file, else its folder.

        Raises:
            ConfigError: the file was written by a newer hub, or is no ledger.
            BusyError: another process kept it locked.
        """
        con, path = open_file(path_or_folder)
        return cls(con, path, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
