"""A catalog file that something else spoilt: told in one line, and made anew once it is deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.kit import Agency, only, told


def _garbage(path: Path) -> None:
    path.write_text("garbage\n")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def _halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _overwritten(path: Path) -> None:
    was = path.read_bytes()
    path.write_bytes(was[:4096] + bytes(len(was) - 4096))


SPOIL = [_garbage, _cut, _halved, _overwritten]
COMMANDS = [
    ("sync", "acme"),
    ("sync", "acme", "--no-pull"),
    ("plan", "acme"),
    ("pull", "acme"),
    ("explain", "acme", "p3@example.com"),
]


@pytest.mark.parametrize("spoil", SPOIL)
def test_a_damaged_catalog_is_one_line_and_deleting_it_helps(running: Agency, spoil: Callable[[Path], None]) -> None:
    path = running.state / "catalog.duckdb"
    spoil(path)

    for command in COMMANDS:
        done = running.hub(*command, expect=1)
        said = " ".join((done.stdout + done.stderr).split())
        assert "is damaged" in said, command
        assert "Delete that file, which is safe, then run `hub pull acme`." in said, command
        assert "unexpectedly" not in said, command
    path.unlink()
    running.hub("pull", "acme")
    sync = only(running.sync()["syncs"])
    assert (sync["status"], sync["unchanged"], sync["calls"]) == ("ok", 20, 0)


def test_an_empty_catalog_file_is_none(running: Agency) -> None:
    path = running.state / "catalog.duckdb"
    path.write_bytes(b"")

    assert only(told(running.hub("explain", "acme", "p3@example.com", expect=1))) == "error: nothing was read yet"
    assert only(running.sync("--no-pull")["syncs"])["unchanged"] == 20


def test_who_is_suppressed_while_the_catalog_is_damaged_is_blocked(running: Agency) -> None:
    _garbage(running.state / "catalog.duckdb")

    done = running.hub("suppress", "acme", "p3@example.com", expect=1)

    assert only(told(done)).startswith("error: blocked as named; the person's other addresses cannot be looked up")
    assert "is damaged" in done.stderr
    assert "next: Delete that file, which is safe, then run `hub pull acme`." in done.stderr
    (running.state / "catalog.duckdb").unlink()
    running.sync()
    assert "p3@example.com" not in running.held()


def test_who_is_forgotten_while_the_catalog_is_damaged_is_barred_and_erased_later(running: Agency) -> None:
    _garbage(running.state / "catalog.duckdb")

    done = running.hub("forget", "acme", "p3@example.com", expect=1)

    assert "nobody adds this person any more, but not everything is erased yet: the catalog" in only(told(done))
    assert "which is safe, then run `hub pull acme`. Then run this again." in done.stderr
    (running.state / "catalog.duckdb").unlink()
    running.hub("pull", "acme")
    running.hub("forget", "acme", "p3@example.com")
    assert "p3@example.com" not in running.held()
