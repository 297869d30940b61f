"""Bulk operations: begun or taken over, watched, fetched as a file.

Source: Shopify's page on bulk operations. The result's address is good for seven days; the job is known by its id and
outlives tokens and processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub import api
from hub_shopify.admin import Admin
from hub_shopify.operations import LOOK_AT_BULK, RECENT_BULK, RUN_BULK
from hub_shopify.state import Job

_UNDER_WAY = {"CREATED", "RUNNING"}
_GOING = {*_UNDER_WAY, "CANCELING"}


class LostJobError(api.TransientError):
    """A bulk operation came to nothing; another one is begun at the next read."""


class DeniedJobError(api.AuthError):
    """A bulk operation may not read what it asks for."""


class Bulk:
    """The bulk operations of one stream; ``folder`` keeps results while they are read."""

    def __init__(self, admin: Admin, http: api.Http, folder: Path, stream: str) -> None:
        self._admin = admin
        self._http = http
        self._folder = folder
        self._stream = stream

    def begin(self, document: str, since: str | None) -> Job | None:
        """Begin an operation, unless the very same is under way; None where as many run as may.

        One may be under way because a run was killed before it could note its id, or because an answer was lost.
        """
        known = self._under_way(document, since)
        if known is not None:
            return known
        try:
            answer = self._admin.ask(self._http, RUN_BULK, once=True, query=document)["bulkOperationRunQuery"]
        except api.TransientError as error:
            known = self._under_way(document, since) if error.sent else None
            if known is None:
                raise
            return known
        begun = answer["bulkOperation"]
        return Job(begun["id"], begun["createdAt"], since) if begun else None

    def _under_way(self, document: str, since: str | None) -> Job | None:
        for known in self._admin.ask(self._http, RECENT_BULK)["bulkOperations"]["nodes"]:
            if known["status"] in _UNDER_WAY and known["query"] == document:
                return Job(known["id"], known["createdAt"], since)
        return None

    def look(self, job: Job) -> Mapping[str, Any] | None:
        """Return what became of an operation, or None while it goes on.

        Raises:
            LostJobError: it failed, was cancelled or is known no more.
            DeniedJobError: the app may not read what it asks for.
        """
        found = self._admin.ask(self._http, LOOK_AT_BULK, id=job.id)["bulkOperation"]
        status = found["status"] if found else "unknown"
        if status in _GOING:
            return None
        if found and status == "COMPLETED":
            done: Mapping[str, Any] = found
            return done
        why = found.get("errorCode") if found else None
        told = f"the bulk operation for {self._stream} is {status.lower()}{f' ({why})' if why else ''}"
        if why == "ACCESS_DENIED":
            raise DeniedJobError(told, next_step="`hub check` says which scopes the app lacks.")
        raise LostJobError(told, next_step="Run it again: another operation is begun.")

    def fetch(self, job: Job, found: Mapping[str, Any]) -> Path:
        """Return the file with an operation's result, fetched or continued where it is not whole.

        Raises:
            LostJobError: its address is good no more.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole, part = self.path(job.number), self.path(f"{job.number}-part")
        self._forget(but={whole, part})
        if whole.exists():
            return whole
        if not found["url"]:
            whole.touch()  # an operation that found nothing has no file
            return whole
        try:
            self._http.save(found["url"], part)
        except (api.AuthError, api.RejectedError) as error:
            raise LostJobError(f"the result for {self._stream} cannot be fetched: {error}") from error
        part.replace(whole)
        return whole

    def forget(self) -> None:
        """Remove every file of the stream."""
        self._forget(but=set())

    def path(self, name: str) -> Path:
        """Return the place of a file of the stream."""
        return self._folder / f"{self._stream}-{name}.jsonl"

    def _forget(self, but: set[Path]) -> None:
        for file in self._folder.glob(f"{self._stream}-*"):
            if file not in but:
                file.unlink(missing_ok=True)
