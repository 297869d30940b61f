"""The sandbox over real sockets: stand-ins, its note in the workspace, its page, its faults."""

from __future__ import annotations

import http.client
import json
import os
import smtplib
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import pytest

from hub import api
from hub.errors import ConfigError
from hub.sandbox import Sandbox, find_sandbox, read_sandbox
from hub_smtp.stand_in import SmtpStandIn


class Greedy(api.StandIn):
    """Hold what a page must not trust."""

    plugin = "greedy"
    faults: ClassVar[tuple[api.Fault, ...]] = (api.Fault("<i>x", "<script>1</script>", {"<b>": "<u>"}),)
    held: ClassVar[dict[str, Any]] = {
        "<img src=x>": 1,
        "note": "<script>2</script>",
        "members": [{"who": "<script>3</script>", "html": '"><script>4</script>', "tags": ["<s>"]}],
        "jobs": {"<k>": ["<v>"]},
        "faults": {},
    }

    def start(self, port: int = 0) -> str:
        return "http://127.0.0.1:1/<x>"

    def stop(self) -> None:
        return None

    def heal(self) -> None:
        return None

    def state(self) -> Mapping[str, Any]:
        return self.held


class Unlucky(Greedy):
    """Fail to start."""

    plugin = "unlucky"

    def start(self, port: int = 0) -> str:
        raise OSError(98, "Address already in use")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox([SmtpStandIn, Greedy], tmp_path) as running:
        yield running


def ask(
    sandbox: Sandbox, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, str, http.client.HTTPMessage]:
    parts = urlsplit(sandbox.running.control)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    given = dict(headers or {})
    if isinstance(body, dict):
        given = {"Content-Type": "application/json", **given}
        body = json.dumps(body)
    connection.request(method, path, body, given)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, text, reply.headers


def mail_to(sandbox: Sandbox, address: str = "ann@example.com") -> int:
    parts = urlsplit(sandbox.running.addresses["smtp"])
    with smtplib.SMTP(parts.hostname or "", parts.port or 0, timeout=5) as smtp:
        smtp.ehlo()
        smtp.mail("shop@example.com")
        code, _ = smtp.rcpt(address)
        if code == 250:
            smtp.data("Subject: Hello\r\n\r\nHi")
    return code


def test_the_workspace_knows_where_a_running_sandbox_is(tmp_path: Path) -> None:
    with Sandbox([SmtpStandIn], tmp_path) as sandbox:
        note = tmp_path / ".hub" / "sandbox.json"

        assert read_sandbox(tmp_path) == sandbox.running.addresses
        assert read_sandbox(tmp_path)["smtp"].startswith("smtp://127.0.0.1:")
        assert stat.S_IMODE(note.stat().st_mode) == 0o600
        assert json.loads(note.read_text())["pid"] == os.getpid()

    assert not note.exists()
    with pytest.raises(ConfigError, match="no sandbox is running") as caught:
        read_sandbox(tmp_path)
    assert "hub sandbox" in str(caught.value.next_step)


def test_a_sandbox_whose_process_died_does_not_count(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with Sandbox([SmtpStandIn], tmp_path) as sandbox:
        note = {"pid": dead.pid, "control": sandbox.running.control, "addresses": {}}
        (tmp_path / ".hub" / "sandbox.json").write_text(json.dumps(note))

        with pytest.raises(ConfigError, match="without saying so"):
            read_sandbox(tmp_path)


def test_a_process_id_given_to_another_program_does_not_count(tmp_path: Path) -> None:
    (tmp_path / ".hub").mkdir()
    note = {"pid": os.getpid(), "control": "http://127.0.0.1:9/", "addresses": {"smtp": "smtp://127.0.0.1:9"}}
    (tmp_path / ".hub" / "sandbox.json").write_text(json.dumps(note))

    assert find_sandbox(tmp_path) is None


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"pid": "x"}', '{"pid": 1, "control": 2, "addresses": 3}'])
def test_a_note_that_makes_no_sense_does_not_count(tmp_path: Path, note: str) -> None:
    (tmp_path / ".hub").mkdir()
    (tmp_path / ".hub" / "sandbox.json").write_text(note)

    assert find_sandbox(tmp_path) is None


def test_one_workspace_has_one_sandbox(tmp_path: Path, sandbox: Sandbox) -> None:
    with pytest.raises(ConfigError, match="already runs"):
        Sandbox([SmtpStandIn], tmp_path).start()

    assert read_sandbox(tmp_path) == sandbox.running.addresses


def test_two_stand_ins_of_one_plugin_are_an_error_naming_both(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"SmtpStandIn.*SmtpStandIn"):
        Sandbox([SmtpStandIn, SmtpStandIn], tmp_path)


def test_where_one_cannot_start_none_stays(tmp_path: Path) -> None:
    sandbox = Sandbox([SmtpStandIn, Unlucky], tmp_path)

    with pytest.raises(ConfigError, match="already in use"):
        sandbox.start()

    assert not (tmp_path / ".hub" / "sandbox.json").exists()
    sandbox.stop()


def test_the_state_is_json(sandbox: Sandbox) -> None:
    mail_to(sandbox)

    status, text, headers = ask(sandbox, "GET", "/state")

    said = json.loads(text)["smtp"]
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert [mail["subject"] for mail in said["state"]["mails"]] == ["Hello"]
    assert said["state"]["served"] == 1
    assert "refuse-recipient" in [fault["name"] for fault in said["can_fail"]]


def test_the_page_shows_everything_and_trusts_nothing(sandbox: Sandbox) -> None:
    mail_to(sandbox, "ann@example.com")

    status, text, headers = ask(sandbox, "GET", "/")

    assert status == 200
    assert "ann@example.com" in text
    assert "Hello" in text
    assert "<script" not in text
    for tag in ("<img", "<i>x", "<u>", "<s>", "<k>", "<v>", "<x>", '<b>"'):
        assert tag not in text
    assert "&lt;script&gt;3&lt;/script&gt;" in text
    assert 'srcdoc="&quot;&gt;&lt;script&gt;' in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_fault_is_switched_on_and_healed_by_json(sandbox: Sandbox) -> None:
    asked = {"plugin": "smtp", "fault": "refuse-recipient", "address": "ann@example.com", "code": 551}

    on, text, _ = ask(sandbox, "POST", "/faults", asked)
    refused, taken = mail_to(sandbox), mail_to(sandbox, "bo@example.com")
    off, _, _ = ask(sandbox, "DELETE", "/faults?plugin=smtp")

    assert (on, off) == (200, 200)
    assert json.loads(text)["smtp"]["state"]["faults"]["refuse-recipient"]["code"] == "551"
    assert (refused, taken, mail_to(sandbox)) == (551, 250, 250)


def test_a_fault_is_switched_on_and_healed_by_the_page_s_forms(sandbox: Sandbox) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": sandbox.running.control.rstrip("/")}

    on, _, headers = ask(
        sandbox, "POST", "/faults", urlencode({"plugin": "smtp", "fault": "temporary", "code": "", "times": "1"}), form
    )
    shown = ask(sandbox, "GET", "/")[1]
    refused = mail_to(sandbox)
    off, _, _ = ask(sandbox, "POST", "/faults/heal", urlencode({"plugin": "smtp"}), form)

    assert (on, off, headers["Location"]) == (303, 303, "/")
    assert "Switched on: <b>temporary</b>" in shown
    assert refused == 451
    assert "Switched on" not in ask(sandbox, "GET", "/")[1]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:{port}"}, 200),
        ({"Host": "evil.example:{port}"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Host": "127.0.0.1:1"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_only_its_own_pages_and_local_programs_have_a_say(
    sandbox: Sandbox, headers: dict[str, str], status: int
) -> None:
    port = str(urlsplit(sandbox.running.control).port)
    given = {name: value.replace("{port}", port) for name, value in headers.items()}

    assert ask(sandbox, "DELETE", "/faults", headers=given)[0] == status
    assert ask(sandbox, "POST", "/faults", {"plugin": "smtp", "fault": "slow"}, given)[0] == status
    assert ask(sandbox, "GET", "/state", headers=given)[0] == status
    assert bool(sandbox.stand_ins["smtp"].state()["faults"]) is (status == 200)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "word"),
    [
        ("POST", "/faults", {"plugin": "nobody", "fault": "slow"}, 404, "there are: smtp, greedy"),
        ("POST", "/faults", {"plugin": "smtp", "fault": "explode"}, 400, "known:"),
        ("POST", "/faults", {"plugin": "smtp", "fault": "slow", "color": "red"}, 400, "color"),
        ("POST", "/faults", {"plugin": "smtp", "fault": "temporary", "times": "often"}, 400, "often"),
        ("POST", "/faults", "x" * 70_000, 413, "more than"),
        ("GET", "/nowhere", None, 404, "/state"),
        ("POST", "/", {}, 404, "/faults"),
        ("DELETE", "/", None, 404, "/faults"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_in_words(
    sandbox: Sandbox, method: str, path: str, body: Any, status: int, word: str
) -> None:
    found, text, _ = ask(sandbox, method, path, body)

    assert found == status
    assert word in json.loads(text)["error"]


def test_json_that_is_no_object_is_answered_in_words(sandbox: Sandbox) -> None:
    assert ask(sandbox, "POST", "/faults", "[1]", {"Content-Type": "application/json"})[0] == 400


def test_a_sandbox_without_stand_ins_says_so(tmp_path: Path) -> None:
    with Sandbox([], tmp_path) as sandbox:
        assert "No installed plugin has a stand-in." in ask(sandbox, "GET", "/")[1]
