"""An agency for each test, and no keyring but the one that has nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest

from tests.acceptance.kit import START, Agency


@pytest.fixture
def agency(tmp_path: Path, empty_keyring: None) -> Agency:
    return Agency(tmp_path / "agency")


@pytest.fixture
def empty_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture(scope="session")
def running_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an agency whose list holds p1@example.com to p20@example.com; p21 and p22 said no, p1 to p5 bought."""
    agency = Agency(tmp_path_factory.mktemp("running") / "agency")
    agency.shop.people(20).people(2, "no", start=21)
    for number in range(1, 6):
        agency.shop.buy(f"p{number}@example.com", START)
    agency.started()
    return agency.folder


@pytest.fixture
def running(running_folder: Path, tmp_path: Path, empty_keyring: None) -> Agency:
    """Return a copy of that agency, for a test to spoil."""
    shutil.copytree(running_folder, tmp_path / "agency")
    agency = Agency(tmp_path / "agency")
    agency.shop.people(20).people(2, "no", start=21)
    for number in range(1, 6):
        agency.shop.buy(f"p{number}@example.com", START)
    return agency
