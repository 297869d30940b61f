"""Plan files: what was reviewed, so that exactly that is applied.

A plan file holds operations, keyed hashes and payload hashes: no address, nothing that a person can be read from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from hub.errors import HubError, RefusedError

FORMAT = 1
EXPIRES_AFTER = timedelta(hours=24)

Entry = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class PlannedSync:
    """What one sync would send: the audience's generation and (operation, member_key, payload hash) per member."""

    name: str
    audience: str
    generation: int
    changes: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A reviewed plan; times are ISO 8601 in UTC."""

    client: str
    run_id: str
    as_of: str
    created_at: str
    configuration: str
    plugins: dict[str, str]
    syncs: list[PlannedSync]
    format: int = FORMAT

    def check(self, *, now: datetime, configuration: str, plugins: dict[str, str]) -> None:
        """Refuse a plan that is too old or was made for other settings or plugins.

        Raises:
            RefusedError: naming what differs.
        """
        again = "run `hub plan` again and apply the new file"
        if now - datetime.fromisoformat(self.created_at) > EXPIRES_AFTER:
            raise RefusedError(f"the plan of {self.created_at}Z has expired (24 hours)", next_step=again)
        if configuration != self.configuration:
            raise RefusedError("the client's configuration changed since the plan was made", next_step=again)
        changed = sorted(
            name for name in plugins.keys() | self.plugins.keys() if plugins.get(name) != self.plugins.get(name)
        )
        if changed:
            raise RefusedError(f"plugins changed since the plan was made: {', '.join(changed)}", next_step=again)


def write_plan(path: Path, plan: PlanFile) -> None:
    """Write a plan file, readable by its owner alone, replacing an older one at once."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(plan), file)
    part.replace(path)


def read_plan(path: Path) -> PlanFile:
    """Read a plan file.

    Raises:
        HubError: it cannot be read or is not a plan of this version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise HubError(f"{path} is a plan of format {data['format']}, this hub reads {FORMAT}")
        syncs = [
            PlannedSync(
                sync["name"],
                sync["audience"],
                sync["generation"],
                [(op, key, digest) for op, key, digest in sync["changes"]],
            )
            for sync in data.pop("syncs")
        ]
        return PlanFile(syncs=syncs, **data)
    except OSError as error:
        raise HubError(
            f"{path}: {error.strerror or error}", next_step="name the file that `hub plan --out` wrote"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise HubError(f"{path} is not a plan file", next_step="name the file that `hub plan --out` wrote") from error


def compare(reviewed: Iterable[Entry], computed: Iterable[Entry]) -> tuple[set[Entry], list[Entry]]:
    """Return what is no longer to be done (dropped) and what the review never saw (new)."""
    before, now = set(reviewed), set(computed)
    return before - now, sorted(now - before, key=lambda entry: (entry[0], entry[1]))
