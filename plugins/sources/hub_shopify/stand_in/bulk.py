"""Bulk operations: run, watched, cancelled, and their results as files of JSON lines.

An operation advances by a step at each look at it, as if time had passed: the objects to read are chosen when it is
run, and read as it goes. Without ``groupObjects`` the children of several parents are mixed; each comes after its
parent.
"""

from __future__ import annotations

import json
import random
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from graphql import DocumentNode, ExecutionResult

from hub_shopify.stand_in.bulk_rules import Shape, check
from hub_shopify.stand_in.records import Record
from hub_shopify.stand_in.shop import Shop

if TYPE_CHECKING:
    from hub_shopify.stand_in.context import Context

RESULT_KEPT = timedelta(days=7)
_AT_ONCE = 50  # records executed together; without grouping their lines are mixed
_FIRST_NUMBER = 5_000_000_000_001
_ENDED = frozenset({"COMPLETED", "FAILED", "CANCELED", "EXPIRED"})

Execute = Callable[[DocumentNode, "Context"], ExecutionResult]
Fault = Callable[[str], Mapping[str, str] | None]


@dataclass
class Operation(Record):
    typename = "BulkOperation"
    number: int
    query: str
    created_at: datetime
    grouped: bool = False
    type: str = "QUERY"
    status: str = "RUNNING"  # who runs it is told CREATED, everybody later finds it running
    error_code: str | None = None
    completed_at: datetime | None = None
    object_count: int = 0
    root_object_count: int = 0
    file_size: int | None = None
    path: str | None = None
    partial_path: str | None = None
    problem: str | None = None  # why it failed, for the sandbox's page
    looks: int = 0

    @property
    def ended(self) -> bool:
        return self.status in _ENDED


@dataclass
class _Work:
    """What is left to do of an operation."""

    document: DocumentNode
    root: str
    shape: Shape
    context: Context
    records: Iterator[Any]
    file: Path
    out: BinaryIO
    mix: random.Random


class BulkOperations:
    """The bulk operations of an app in ``shop``.

    ``execute`` runs a document in a context. ``take`` uses up a fault by name, or returns None. ``prepared`` are
    files of JSON lines, by root field, that are served as they are instead of reading the shop: for results that no
    shop in memory could have.
    """

    def __init__(self, shop: Shop, execute: Execute, take: Fault, prepared: Mapping[str, Path]) -> None:
        self._shop = shop
        self._execute = execute
        self._take = take
        self._prepared = prepared
        self._operations: dict[str, Operation] = {}
        self._work: dict[str, _Work] = {}
        self._files: dict[str, tuple[Path, Operation]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.RLock()

    def all(self) -> list[Operation]:
        """Return all operations, the oldest first."""
        with self._lock:
            return list(self._operations.values())

    def run(self, query: str, context: Context, *, grouped: bool) -> tuple[Operation | None, list[tuple[str, str]]]:
        """Begin an operation, or return why not as codes with messages."""
        document, wrong = context.schema.read(query)
        if document is None:
            return None, [("INVALID", f"Invalid bulk query: {error.message}") for error in wrong]
        checked = check(context.schema.graphql, document)
        if checked.errors:
            return None, [("INVALID", message) for message in checked.errors]
        with self._lock:
            running = [each for each in self._operations.values() if not each.ended]
            if len(running) >= context.limits.bulk_running:
                return None, [_too_many(running[-1], context.limits.bulk_running)]
            number = _FIRST_NUMBER + len(self._operations)
            operation = Operation(number, query, self._shop.now(), grouped)
            self._operations[operation.id] = operation
            self._begin(operation, document, checked.root, checked.shape, context)
            created = replace(operation, status="CREATED")
            return created, []

    def look(self, gid: str) -> Operation | None:
        """Return an operation as it is now; looking lets it go on."""
        with self._lock:
            operation = self._operations.get(gid)
            if operation is not None and not operation.ended:
                self._advance(operation)
            return replace(operation) if operation is not None else None

    def cancel(self, gid: str) -> Operation | None:
        """Cancel an operation that has not ended; the next look finds it cancelled."""
        with self._lock:
            operation = self._operations.get(gid)
            if operation is None or operation.ended:
                return operation
            operation.status = "CANCELING"
            return replace(operation)

    def file(self, path: str) -> Path | None:
        """Return the file behind a result's address, unless it is too old."""
        found = self._files.get(path)
        if found is None:
            return None
        file, operation = found
        ended = operation.completed_at
        return file if ended is not None and self._shop.now() < ended + RESULT_KEPT else None

    def close(self) -> None:
        """Stop all work and remove the files."""
        with self._lock:
            for operation in self._operations.values():
                if not operation.ended:
                    self._end(operation, "CANCELED")
            self._files.clear()
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None

    def _begin(self, operation: Operation, document: DocumentNode, root: str, shape: Shape, context: Context) -> None:
        """Choose what is to be read, and open the file."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="hub-shopify-", ignore_cleanup_errors=True)
        chosen: list[Any] = []
        prepared = self._prepared.get(root)
        if prepared is None:
            first = self._execute(document, replace(context, window=(), chosen=chosen))
            if first.errors:
                self._fail(operation, first)
                return
        file = prepared or Path(self._folder.name, f"{operation.number}.jsonl")
        out = file.open("rb" if prepared else "wb")
        mix = random.Random(operation.number)  # noqa: S311 - an order of lines, not a secret
        self._work[operation.id] = _Work(document, root, shape, context, iter(chosen), file, out, mix)

    def _advance(self, operation: Operation) -> None:
        operation.looks += 1
        if operation.status == "CANCELING" or self._take("bulk-cancelled") is not None:
            self._end(operation, "CANCELED")
            return
        if self._take("bulk-expired") is not None:
            self._end(operation, "EXPIRED")
            return
        work = self._work[operation.id]
        broken = self._take("bulk-failed")
        if broken is not None:
            self._break(operation, work, broken)
            return
        if not self._step(operation, work, work.context.limits.bulk_step):
            return
        if not operation.ended and operation.looks >= work.context.limits.bulk_polls:
            self._end(operation, "COMPLETED")

    def _step(self, operation: Operation, work: _Work, objects: int) -> bool:
        """Read some objects; tell whether none is left (or the operation failed)."""
        if work.root in self._prepared:
            operation.object_count, operation.root_object_count = _count(work.file)
            return True
        goal = operation.object_count + objects
        while operation.object_count < goal:
            batch = list(islice(work.records, _AT_ONCE))
            if not batch:
                return True
            with self._shop.lock:
                left = [record for record in batch if self._shop.find(record.id) is record]
                result = self._execute(work.document, replace(work.context, window=left))
            if result.errors or result.data is None:
                self._fail(operation, result)
                return True
            nodes = [edge["node"] for edge in result.data[work.root]["edges"]]
            self._write(operation, work, [list(work.shape.lines(node)) for node in nodes])
        return False

    def _write(self, operation: Operation, work: _Work, families: list[list[dict[str, Any]]]) -> None:
        operation.root_object_count += len(families)
        lines = _mixed(families, work.mix) if not operation.grouped else (line for each in families for line in each)
        for line in lines:
            work.out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            operation.object_count += 1

    def _break(self, operation: Operation, work: _Work, how: Mapping[str, str]) -> None:
        """Fail on the way, with half of what is left in the partial file."""
        if work.root not in self._prepared:
            left = list(work.records)
            work.records = iter(left[: (len(left) + 1) // 2])
            self._step(operation, work, len(left) * 1_000_000)
        operation.error_code = how.get("code", "INTERNAL_SERVER_ERROR")
        self._end(operation, "FAILED", partial=how.get("partial", "yes") == "yes")

    def _fail(self, operation: Operation, result: ExecutionResult) -> None:
        errors = result.errors or []
        codes = {(error.extensions or {}).get("code") for error in errors}
        operation.error_code = "ACCESS_DENIED" if "ACCESS_DENIED" in codes else "INTERNAL_SERVER_ERROR"
        operation.problem = errors[0].message if errors else "no data"
        self._end(operation, "FAILED")

    def _end(self, operation: Operation, status: str, *, partial: bool = True) -> None:
        operation.status, operation.completed_at = status, self._shop.now()
        work = self._work.pop(operation.id, None)
        if work is None:
            return
        work.out.close()
        size = work.file.stat().st_size
        if not size or (status != "COMPLETED" and not partial):
            return
        operation.file_size = size
        path = f"/bulk/{operation.number}-{secrets.token_urlsafe(12)}.jsonl"
        self._files[path] = (work.file, operation)
        if status == "COMPLETED":
            operation.path = path
        else:
            operation.partial_path = path


def _too_many(last: Operation, most: int) -> tuple[str, str]:
    if most == 1:
        about = f"A bulk query operation for this app and shop is already in progress: {last.id}."
        return "OPERATION_IN_PROGRESS", about
    return "LIMIT_REACHED", f"The limit of {most} concurrent bulk query operations for this app and shop is reached."


def _mixed(families: Sequence[Sequence[dict[str, Any]]], mix: random.Random) -> Iterator[dict[str, Any]]:
    """Return all lines: parents in their order, each family's children in theirs, but later and among others."""
    waiting: list[list[dict[str, Any]]] = []
    for parent, *children in families:
        yield parent
        waiting.append(children[::-1])
        yield from _some(waiting, mix, mix.randrange(2 * len(children) + 1))
    yield from _some(waiting, mix, sum(len(children) for children in waiting))


def _some(waiting: list[list[dict[str, Any]]], mix: random.Random, number: int) -> Iterator[dict[str, Any]]:
    """Take some of the children that wait, from one family or another; each family waits in reverse."""
    for _ in range(number):
        waiting[:] = [children for children in waiting if children]
        if not waiting:
            return
        yield mix.choice(waiting).pop()


def _count(file: Path) -> tuple[int, int]:
    """Return how many lines a file has, and how many of them without a parent."""
    with file.open("rb") as lines:
        total = children = 0
        for line in lines:
            total += 1
            children += b'"__parentId"' in line
    return total, total - children
