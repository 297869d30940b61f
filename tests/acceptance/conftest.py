"""An agency for each test, and no keyring but the one that has nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest

from tests.acceptance.kit import START, Agency


@pytest.fixture
def agency(tmp_path: Path, empty_keyring: None) -> Agency:
    return Agency(tmp_path / "agency")


@pytest.fixture(scope="module")
def empty_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture(scope="session")
def ran_once(tmp_path_factory: pytest.TempPathFactory) -> Agency:
    """Make an agency whose list holds p1@example.com to p20@example.com; p21 and p22 said no, p1 to p5 bought."""
    agency = Agency(tmp_path_factory.mktemp("running") / "agency")
    agency.shop.people(20).people(2, "no", start=21)
    for number in range(1, 6):
        agency.shop.buy(f"p{number}@example.com", START)
    return agency.started()


@pytest.fixture
def running(ran_once: Agency, tmp_path: Path, empty_keyring: None) -> Agency:
    """Return a copy of that agency, for a test to spoil."""
    return ran_once.copied(tmp_path / "agency")
