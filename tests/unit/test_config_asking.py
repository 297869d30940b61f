"""Adding a client where someone is there to answer."""

from __future__ import annotations

from pathlib import Path

from hub.cli.client_file import Draft, write_client
from hub.config import load_client, load_workspace

PLUGIN = """
from hub import api


class Settings(api.Config):
    folder_id: int = api.Field(description="the folder for lists")
    place: str | None = api.Field(default=None, description="the place", examples=["lists/{client}"])
    token: api.Secret = api.Field(description="the token")
    limit: int = api.Field(default=3, description="the limit")


class Asked(api.Destination[Settings]):
    name = "asked"
    Config = Settings
    can = api.Capabilities(ops={api.Op.ADD: api.Limit(1)})

    def push(self, batch):
        yield from ()


@api.hookimpl
def hub_destinations():
    return [Asked]
"""


def test_what_has_no_answer_yet_is_asked_and_secrets_are_not(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "asked.py").write_text(PLUGIN)
    (tmp_path / "hub.toml").write_text("")
    answers = {"name": "Acme Shoes", "zone": "Europe/Copenhagen", "country": "", "folder_id": "7"}
    asked = []

    def ask(question: str, default: str | None) -> str:
        asked.append(question)
        return next((answer for word, answer in answers.items() if word in question), default or "")

    draft = Draft("acme", (), ("asked",), (), {"name": None, "timezone": None, "country": None, "currency": "DKK"})
    written = write_client(load_workspace(tmp_path), draft, ask)

    client = load_client(load_workspace(tmp_path), "acme")
    assert (client.name, client.timezone, client.country, client.currency) == (
        "Acme Shoes",
        "Europe/Copenhagen",
        None,
        "DKK",
    )
    assert client.destinations["asked"].options == {"folder_id": 7, "place": "lists/acme"}
    assert not any("token" in question or "limit" in question or "currency" in question for question in asked)
    [todo] = written.problems
    assert todo.startswith("clients/acme.toml: country: where is the shop?")
    assert written.secrets == ("hub secret set acme asked token",)
