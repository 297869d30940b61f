"""A plugin's settings: validated against its own model, secrets kept out of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from hub import api
from hub.config import ConfigFileError, build_config, load_client, load_workspace
from hub.secrets import ConnectionSecrets


class Proxy(api.Config):
    host: str = api.Field(description="host")
    password: api.Secret | None = api.Field(default=None, description="password")


class Settings(api.Config):
    api_key: api.Secret = api.Field(description="the key")
    second: api.Secret | None = api.Field(default=None, description="another")
    folder_id: int = api.Field(description="the folder")
    window: api.Duration | None = api.Field(default=None, description="a window")
    proxies: tuple[Proxy, ...] = api.Field(default=(), description="proxies")
    fields: dict[str, str] = api.Field(default_factory=dict, description="theirs = ours")


@dataclass
class Case:
    folder: Path

    def build(self, text: str, environ: dict[str, str]) -> Settings:
        (self.folder / "clients").mkdir(exist_ok=True)
        (self.folder / "hub.toml").write_text("")
        (self.folder / "clients" / "acme.toml").write_text(f'name = "A"\n[destinations.news]\nplugin = "x"\n{text}\n')
        connection = load_client(load_workspace(self.folder), "acme").destinations["news"]
        secrets = ConnectionSecrets("acme", "news", None, environ)
        return build_config(Settings, connection.options, where=connection.where, secrets=secrets)

    def problems(self, text: str, environ: dict[str, str] | None = None) -> tuple[str, ...]:
        with pytest.raises(ConfigFileError) as caught:
            self.build(text, {"HUB_SECRET__ACME__NEWS__API_KEY": "k"} if environ is None else environ)
        return caught.value.problems


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_settings_and_secrets_are_put_together(case: Case) -> None:
    config = case.build('folder_id = 7\nwindow = "7d"', {"HUB_SECRET__ACME__NEWS__API_KEY": "s3cret"})

    assert config.folder_id == 7
    assert config.api_key.get_secret_value() == "s3cret"
    assert config.second is None
    assert "s3cret" not in repr(config)


def test_a_secret_in_the_file_is_refused_with_the_command_to_run(case: Case) -> None:
    found = case.problems('api_key = "abc-123"\nfolder_id = 7')

    assert found == (
        "clients/acme.toml:4: destinations.news.api_key: a secret must not stand in a file; remove the line, "
        "renew the secret and run: hub secret set acme news api_key",
    )


def test_a_secret_deep_in_the_file_is_refused_too(case: Case) -> None:
    found = case.problems('folder_id = 7\n[[destinations.news.proxies]]\nhost = "h"\npassword = "abc-123"')

    assert len(found) == 1
    assert found[0].startswith("clients/acme.toml:7: destinations.news.proxies[0].password: a secret must not stand")
    assert "abc-123" not in found[0]


def test_a_missing_secret_says_every_place_that_was_tried(case: Case) -> None:
    found = case.problems("folder_id = 7", environ={})

    assert len(found) == 1
    assert "destinations.news.api_key: no secret found" in found[0]
    for place in ("HUB_SECRET__ACME__NEWS__API_KEY", "a file (", "audience-hub: acme/news/api_key"):
        assert place in found[0]
    assert found[0].endswith("run: hub secret set acme news api_key")


def test_every_problem_is_said_at_once_with_its_line(case: Case) -> None:
    found = case.problems('folder_idd = 7\nwindow = "soon"\n[[destinations.news.proxies]]\nhots = "h"')

    assert found == (
        "clients/acme.toml:2: destinations.news.folder_id: is missing: the folder",
        "clients/acme.toml:5: destinations.news.window: 'soon' is not a duration; write 30m, 1h, 7d or 2w",
        "clients/acme.toml:6: destinations.news.proxies[0].host: is missing: host",
        'clients/acme.toml:7: destinations.news.proxies[0].hots: unknown key; did you mean "host"?',
        'clients/acme.toml:4: destinations.news.folder_idd: unknown key; did you mean "folder_id"?',
    )


def test_the_sandbox_gives_its_own_secrets_and_asks_nowhere_else(case: Case) -> None:
    case.build("folder_id = 7", {"HUB_SECRET__ACME__NEWS__API_KEY": "real"})
    connection = load_client(load_workspace(case.folder), "acme").destinations["news"]
    secrets = ConnectionSecrets(
        "acme", "news", None, {"HUB_SECRET__ACME__NEWS__API_KEY": "real"}, stand_in={"api_key": "stand-in"}
    )

    config = build_config(Settings, connection.options, where=connection.where, secrets=secrets)

    assert config.api_key.get_secret_value() == "stand-in"
