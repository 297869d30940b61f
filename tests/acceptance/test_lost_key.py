"""The client's key: with another one nobody who is blocked would be known again, so that nothing starts."""

from __future__ import annotations

import pytest

from tests.acceptance.kit import Agency, told

P1 = "p1@example.com"


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (None, "is missing"),
        (b"", "is damaged"),
        (b"x\n", "is damaged"),
        (b"k" * 32, "is not the one that the ledger was written with"),
    ],
)
def test_with_another_key_nothing_starts_and_with_the_right_one_everybody_is_known(
    running: Agency, key: bytes | None, says: str
) -> None:
    running.hub("suppress", "acme", P1)
    running.sync()
    path = running.state / "key"
    right = path.read_bytes()
    path.unlink() if key is None else path.write_bytes(key)
    writes = running.writes()

    for command in (("sync", "acme"), ("plan", "acme"), ("suppress", "acme", P1), ("forget", "acme", P1)):
        assert says in told(running.hub(*command, expect=2))[0]
    assert path.exists() == (key is not None)

    path.write_bytes(right)
    running.sync()
    assert running.writes() == writes
    assert P1 not in running.held()


def test_a_ledger_that_knows_no_key_yet_takes_the_one_that_is_there(running: Agency) -> None:
    (running.state / "ledger.sqlite").unlink()

    running.sync("--force")

    assert P1 in running.held()
