"""Secrets: where they are looked for, in which order, and that no message holds one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import pytest

from hub.errors import HubError
from hub.secrets import Secrets, delete_secret, environment_name, find_secret, list_secrets, set_secret


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring like any other, that forgets."""

    priority = 1  # type: ignore[assignment]  # a property in the base

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


def write(folder: Path, value: str) -> None:
    file = folder / "acme" / "news-letter" / "api_key"
    file.parent.mkdir(parents=True)
    file.write_text(value, encoding="utf-8")


def test_the_environment_wins_over_a_file_and_a_file_over_the_keyring(tmp_path: Path, memory: MemoryKeyring) -> None:
    set_secret("acme", "news-letter", "api_key", "from-keyring")
    write(tmp_path, "from-file\n")
    environ = {"HUB_SECRET__ACME__NEWS_LETTER__API_KEY": "from-environment"}

    places = []
    for secrets_dir, variables in ((tmp_path, environ), (tmp_path, {}), (None, {})):
        found = find_secret("acme", "news-letter", "api_key", secrets_dir=secrets_dir, environ=variables)
        assert found is not None
        places.append((found.value, found.place))
        assert found.value not in repr(found)

    assert places == [("from-environment", "environment"), ("from-file", "file"), ("from-keyring", "keyring")]
    assert memory.kept == {("audience-hub", "acme/news-letter/api_key"): "from-keyring"}


def test_an_empty_variable_counts_as_none(memory: MemoryKeyring) -> None:
    environ = {environment_name("acme", "news", "key"): ""}

    assert find_secret("acme", "news", "key", secrets_dir=None, environ=environ) is None


def test_a_file_that_cannot_be_read_is_an_error_and_not_a_missing_secret(tmp_path: Path, memory: MemoryKeyring) -> None:
    (tmp_path / "acme" / "news" / "key").mkdir(parents=True)

    with pytest.raises(HubError, match="cannot be read") as caught:
        find_secret("acme", "news", "key", secrets_dir=tmp_path, environ={})
    assert caught.value.next_step


def test_a_secret_is_deleted_once(memory: MemoryKeyring) -> None:
    set_secret("acme", "news", "key", "value")

    assert delete_secret("acme", "news", "key")
    assert not delete_secret("acme", "news", "key")
    assert memory.kept == {}


def test_a_machine_without_a_keyring_is_told_the_other_two_ways(no_keyring: None) -> None:
    with pytest.raises(HubError, match="no usable keyring") as caught:
        set_secret("acme", "news", "key", "value-123")

    assert "HUB_SECRET__ACME__NEWS__KEY" in str(caught.value.next_step)
    assert "<secrets_dir>/acme/news/key" in str(caught.value.next_step)
    assert "value-123" not in f"{caught.value} {caught.value.next_step}"


def test_without_a_keyring_the_other_places_still_work(no_keyring: None) -> None:
    environ = {"HUB_SECRET__ACME__NEWS__KEY": "value"}

    assert find_secret("acme", "news", "key", secrets_dir=None, environ={}) is None
    found = find_secret("acme", "news", "key", secrets_dir=None, environ=environ)
    assert found is not None
    assert found.value == "value"


def test_a_list_says_where_each_was_found(memory: MemoryKeyring) -> None:
    set_secret("acme", "news", "key", "value")

    listed = list_secrets("acme", [("news", "key"), ("ads", "token")], secrets_dir=None, environ={})

    assert [(connection, field, found and found.where) for connection, field, found in listed] == [
        ("news", "key", "the system keyring (audience-hub: acme/news/key)"),
        ("ads", "token", None),
    ]


def test_what_was_tried_names_the_file_when_there_is_a_folder(tmp_path: Path) -> None:
    secrets = Secrets("acme", tmp_path, {}).of("news")

    assert str(tmp_path / "acme" / "news" / "key") in secrets.tried("key")
    assert secrets.command("key") == "hub secret set acme news key"
