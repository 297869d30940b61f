"""What one source of a shop cannot give is no error where another one gives it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.api import Finding, Level
from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sync.check import check_online
from hub.sync.run import pull_client
from hub.sync.wiring import Wiring

DOOR = '''
from hub import api

class DoorConfig(api.SourceConfig):
    """Settings of door."""

class Door(api.Source[DoorConfig]):
    """A door that shows ids only."""

    name = "door"
    Config = DoorConfig
    streams = {"customers": api.Stream(("customers",))}

    def read(self, stream, since, until):
        yield api.Page({"customers": [{"customer_id": "1"}]})

    def check(self):
        yield api.Finding.ok("the door opens")
        yield api.Finding.error("it shows no e-mail", next_step="Ask the shop.", code="no-emails", lacks=("customers", "email"))

@api.hookimpl
def hub_sources():
    return [Door]
'''
EXPORT = "Customer ID,Email,Accepts Email Marketing,First Name,Last Name\n1,{email},yes,Ada,Ash\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for name in ("clients", "plugins", "exports"):
        (tmp_path / name).mkdir()
    (tmp_path / "hub.toml").touch()
    (tmp_path / "plugins" / "door.py").write_text(DOOR)
    (tmp_path / "exports" / "customers.csv").write_text(EXPORT.format(email="ada@example.com"))
    return tmp_path


def wire(workspace: Path, second: str = "") -> Wiring:
    text = f'name = "Acme"\ncurrency = "DKK"\n[sources.api]\nplugin = "door"\nsystem = "shop"\n{second}'
    (workspace / "clients" / "acme.toml").write_text(text)
    opened = load_workspace(workspace)
    return Wiring(opened, load_client(opened, "acme"), Plugins(workspace))


def lacking(wiring: Wiring) -> Finding:
    [finding] = [finding for _, finding in check_online(wiring) if finding.code == "no-emails"]
    return finding


def files(system: str = "shop") -> str:
    return f'[sources.files]\nplugin = "csv"\nfolder = "exports"\nsystem = "{system}"\n'


def test_alone_it_is_an_error(workspace: Path) -> None:
    finding = lacking(wire(workspace))

    assert (finding.level, finding.text, finding.next_step) == (Level.ERROR, "it shows no e-mail", "Ask the shop.")


def test_what_is_only_a_warning_is_made_light_of_as_well(workspace: Path) -> None:
    (workspace / "more").mkdir()
    (workspace / "more" / "customers.csv").write_text("customer,born\n1,1980-02-03\n")
    mapped = (
        '[sources.more]\nplugin = "csv"\nsystem = "shop"\n[[sources.more.files]]\npath = "more/customers.csv"\n'
        'table = "customers"\ncolumns = { customer_id = "customer", birth_date = "born" }\n'
    )
    alone = wire(workspace, mapped.replace('"shop"', '"other"') + files())
    (before,) = [finding for where, finding in check_online(alone) if finding.code == "no-consent"]
    assert (before.level, before.text) == (Level.WARNING, "no file says who agreed to what: nobody can be cleared")

    together = wire(workspace, mapped + files())
    pull_client(together)

    (after,) = [finding for where, finding in check_online(together) if finding.code == "no-consent"]
    assert (after.level, after.next_step) == (Level.INFO, None)
    assert after.text.endswith("files gives 1")


def test_consents_that_the_client_s_file_says_how_to_prove_are_not_lacking(workspace: Path) -> None:
    (workspace / "exports" / "customers.csv").write_text("Customer ID,Email,Tags\n1,a@example.com,mail-ok\n")
    rule = '[[consent.from]]\ntag = "mail-ok"\ngrants = ["email"]\nbasis = "opt_in_single"\nevidence = "form"\n'
    mapped = (
        '[sources.files]\nplugin = "csv"\nsystem = "files"\n[[sources.files.files]]\npath = "exports/customers.csv"\n'
        'table = "customers"\ncolumns = { customer_id = "Customer ID", email = "Email", tags = "Tags" }\n'
    )

    (without,) = [finding for _, finding in check_online(wire(workspace, mapped)) if finding.code == "no-consent"]
    (proven,) = [finding for _, finding in check_online(wire(workspace, mapped + rule)) if finding.code == "no-consent"]

    assert (without.level, proven.level, proven.next_step) == (Level.WARNING, Level.INFO, None)
    assert proven.text.endswith("nobody can be cleared, except by [[consent.from]]")


def test_beside_another_source_of_the_shop_it_is_open_until_both_were_pulled(workspace: Path) -> None:
    finding = lacking(wire(workspace, files()))

    assert (finding.level, finding.next_step) == (Level.WARNING, "Ask the shop.")
    assert "whether files does is seen after `hub pull acme`" in finding.text


def test_where_another_source_gives_it_it_is_worth_knowing_and_no_more(workspace: Path) -> None:
    wiring = wire(workspace, files())
    pull_client(wiring)

    finding = lacking(wiring)

    assert (finding.level, finding.text) == (Level.INFO, "it shows no e-mail; files gives 1")


def test_where_no_other_source_gives_it_either_it_is_an_error(workspace: Path) -> None:
    (workspace / "exports" / "customers.csv").write_text(EXPORT.format(email=""))
    wiring = wire(workspace, files())
    pull_client(wiring)

    assert lacking(wiring).level is Level.ERROR


def test_another_shop_s_source_does_not_help(workspace: Path) -> None:
    wiring = wire(workspace, files(system="another"))
    pull_client(wiring)

    assert lacking(wiring).level is Level.ERROR


def test_while_somebody_holds_the_catalog_nobody_can_tell(workspace: Path) -> None:
    wiring = wire(workspace, files())
    with wiring.catalog.writer():
        finding = lacking(wiring)

    assert (finding.level, finding.next_step) == (Level.WARNING, "Ask the shop.")
    assert "held by" in finding.text
