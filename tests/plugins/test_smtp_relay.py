"""What the relay's answers, hang-ups and refusals become, over real sockets against the stand-in."""

from __future__ import annotations

import ipaddress
import smtplib
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from hub import api
from hub_smtp import Smtp, SmtpConfig
from hub_smtp.relay import Verdict, judge
from hub_smtp.stand_in import PASSWORD, SmtpStandIn

Make = Callable[..., Smtp]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Notes(dict[str, Any]):
    """A connection's memory that lives as long as the test."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


class Clock:
    """A clock that stands until it is moved."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def relay() -> Iterator[SmtpStandIn]:
    stand_in = SmtpStandIn()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "mail"
    folder.mkdir()
    for name, text in {"subject.txt": "Hi", "body.txt": "Hi {{ name|default('') }}", "body.html": "<p>Hi</p>"}.items():
        (folder / name).write_text(text)
    return tmp_path


@pytest.fixture
def make(relay: SmtpStandIn, workspace: Path) -> Iterator[Make]:
    made = []
    address = relay.start()

    def smtp(notes: Notes | None = None, clock: Clock | None = None, tls: Any = None, **settings: Any) -> Smtp:
        values = {
            "server": address,
            "sender": "Shop <news@shop.example>",
            "template": "mail",
            "postal_address": "Vestergade 1",
            "unsubscribe_url": "https://shop.example/u?t={token}",
            **settings,
        }
        destination = Smtp(
            connection="mail",
            config=SmtpConfig.model_validate({key: value for key, value in values.items() if value is not None}),
            shop=api.Shop("acme", "Acme", "UTC", "DK", "DKK", workspace, workspace),
            remember=Notes() if notes is None else notes,
            clock=clock or Clock(),
            tls=tls,
        )
        made.append(destination)
        return destination

    yield smtp
    for destination in made:
        destination.close()


def person(number: int = 1) -> api.Member:
    return api.Member(key=f"{number:032x}", email=f"p{number}@example.com")


def send(destination: Smtp, member: api.Member | None = None) -> api.Outcome:
    member = member or person()
    [outcome] = destination.push(api.Batch(api.Op.ADD, "carts", f"key-{member.key}", [member]))
    assert outcome.member is member
    return outcome


@pytest.mark.parametrize(
    ("answer", "blocks"),
    [
        ("550 5.1.1 user unknown", "hard_bounce"),
        ("550 5.1.2 no such domain", "hard_bounce"),
        ("556 5.1.10 null MX", "hard_bounce"),
        ("550 User unknown", "hard_bounce"),
        ("550 No such user here", "hard_bounce"),
        ("550 <p1@example.com>: Recipient address rejected: mailbox does not exist", "hard_bounce"),
        ("550 blocked by our policy", None),
        ("550 5.7.1 user unknown to our policy", None),
        ("553 5.1.3 bad syntax", None),
        ("550", None),
    ],
)
def test_a_refused_recipient_is_blocked_only_where_there_is_no_such_mailbox(
    make: Make, relay: SmtpStandIn, answer: str, blocks: str | None
) -> None:
    code, _, text = answer.partition(" ")
    relay.fault("refuse-recipient", address="p1@example.com", code=code, text=text or "-")
    destination = make()

    refused = send(destination)
    taken = send(destination, person(2))

    assert (refused.state, refused.blocks) == (api.State.REJECTED, blocks)
    assert "p1@" not in str(refused.reason)
    assert taken.state is api.State.DELIVERED
    assert relay.state()["connections"] == 1


def test_several_policy_refusals_in_a_row_stop_the_connection(make: Make, relay: SmtpStandIn) -> None:
    relay.fault("refuse-recipient", code=550, text="5.7.1 not authenticated")
    destination = make()

    outcomes = [send(destination, person(number)) for number in (1, 2)]
    with pytest.raises(api.AuthError, match=r"550 5\.7\.1") as caught:
        send(destination, person(3))

    assert [(outcome.state, outcome.blocks) for outcome in outcomes] == [(api.State.REJECTED, None)] * 2
    assert "SPF" in str(caught.value.next_step)


def test_policy_refusals_apart_do_not_stop_it(make: Make, relay: SmtpStandIn) -> None:
    relay.fault("refuse-recipient", address="p1@example.com", code=550, text="5.7.1 no")
    destination = make()

    for _ in range(4):
        assert send(destination, person(1)).state is api.State.REJECTED
        assert send(destination, person(2)).state is api.State.DELIVERED


def test_a_message_refused_after_the_last_byte_is_that_row_s(make: Make, relay: SmtpStandIn) -> None:
    relay.fault("refuse-message", code=552, text="5.3.4 too big", times=1)
    destination = make()

    outcome = send(destination)

    assert (outcome.state, outcome.blocks) == (api.State.REJECTED, None)
    assert send(destination, person(2)).state is api.State.DELIVERED


def test_messages_refused_in_a_row_stop_the_connection(make: Make, relay: SmtpStandIn) -> None:
    relay.fault("refuse-message", code=554, text="5.6.0 no")
    destination = make()

    outcomes = [send(destination, person(number)) for number in (1, 2)]
    with pytest.raises(api.AuthError, match="3 mails in a row"):
        send(destination, person(3))

    assert {(outcome.state, outcome.blocks) for outcome in outcomes} == {(api.State.REJECTED, None)}


@pytest.mark.parametrize("code", [421, 450, 451, 452])
def test_a_temporary_refusal_was_not_sent_and_may_be_tried_again(make: Make, relay: SmtpStandIn, code: int) -> None:
    relay.fault("temporary", code=code)
    destination = make()

    with pytest.raises(api.TransientError, match=str(code)) as caught:
        send(destination)

    assert caught.value.sent is False
    assert send(destination).state is api.State.DELIVERED
    assert len(relay.state()["mails"]) == 1


def test_a_message_not_taken_now_was_not_sent(make: Make, relay: SmtpStandIn) -> None:
    relay.fault("refuse-message", code=452, text="4.3.1 disk full", times=1)

    with pytest.raises(api.TransientError) as caught:
        send(make())

    assert caught.value.sent is False


def test_a_connection_lost_before_the_message_was_not_sent(make: Make, relay: SmtpStandIn) -> None:
    relay.fault("drop-before-data")
    destination = make()

    with pytest.raises(api.TransientError) as caught:
        send(destination)

    assert caught.value.sent is False
    assert relay.state()["mails"] == []
    assert send(destination).state is api.State.DELIVERED


def test_a_connection_lost_after_the_last_byte_leaves_it_unknown(make: Make, relay: SmtpStandIn) -> None:
    relay.fault("drop-after-data")
    destination = make()

    outcome = send(destination)

    assert (outcome.state, outcome.blocks) == (api.State.UNKNOWN, None)
    assert len(relay.state()["mails"]) == 1
    assert send(destination, person(2)).state is api.State.DELIVERED


def test_a_relay_that_is_not_there_is_a_passing_failure(make: Make, relay: SmtpStandIn) -> None:
    destination = make()
    relay.stop()

    with pytest.raises(api.TransientError, match="cannot connect") as caught:
        send(destination)

    assert caught.value.sent is False


def test_a_connection_gone_stale_between_mails_is_made_anew(make: Make, relay: SmtpStandIn) -> None:
    destination = make()
    send(destination)
    port = int(str(destination.config.server).rpartition(":")[2])
    relay.stop()
    relay.start(port)

    assert send(destination, person(2)).state is api.State.DELIVERED


def test_one_connection_carries_a_hundred_mails(make: Make, relay: SmtpStandIn) -> None:
    destination = make()

    for number in range(101):
        send(destination, person(number))

    assert relay.state()["served"] == 101
    assert relay.state()["connections"] == 2


def test_a_sender_the_relay_refuses_stops_the_connection_and_blames_nobody(make: Make, relay: SmtpStandIn) -> None:
    relay.fault("refuse-sender")

    with pytest.raises(api.AuthError, match=r"550 5\.7\.1"):
        send(make())


def test_a_full_mailbox_is_tried_on_three_days_then_left_alone(make: Make, relay: SmtpStandIn) -> None:
    relay.fault("refuse-recipient", code=552, text="5.2.2 mailbox full")
    notes, clock = Notes(), Clock()
    destination = make(notes=notes, clock=clock)

    seen = []
    for hours in (0, 1, 24, 48):
        clock.now = NOW + timedelta(hours=hours)
        seen.append(send(destination))

    assert [outcome.state for outcome in seen] == [api.State.FAILED] * 3 + [api.State.REJECTED]
    assert [outcome.blocks for outcome in seen] == [None, None, None, "soft_bounce"]


def test_the_right_password_logs_in(make: Make, relay: SmtpStandIn) -> None:
    assert send(make(username="hub", password=PASSWORD)).state is api.State.DELIVERED


def test_a_refused_login_stops_the_connection_and_keeps_the_password_to_itself(make: Make, relay: SmtpStandIn) -> None:
    with pytest.raises(api.AuthError, match="535") as caught:
        send(make(username="hub", password="wr0ng-s3cret"))

    assert "wr0ng" not in f"{caught.value} {caught.value.next_step}"
    assert relay.state()["mails"] == []


def test_a_login_that_fails_for_now_is_a_passing_failure(make: Make, relay: SmtpStandIn) -> None:
    relay.fault("refuse-login", code=454)
    destination = make(username="hub", password=PASSWORD)

    with pytest.raises(api.TransientError):
        send(destination)


def test_a_name_needs_a_password(make: Make) -> None:
    with pytest.raises(api.ConfigError, match="needs a password"):
        make(username="hub")


def test_a_password_without_a_name_is_not_used_nor_said_on_loopback(make: Make) -> None:
    destination = make(password="x")

    assert send(destination).state is api.State.DELIVERED
    assert "no-username" not in [finding.code for finding in destination.check()]


@pytest.mark.parametrize(("username", "codes"), [(None, ["no-username"]), ("hub", [])])
def test_check_warns_of_a_password_that_is_not_used_at_a_relay_elsewhere(
    make: Make, username: str | None, codes: list[str]
) -> None:
    destination = make(server="smtp://mail.invalid", username=username, password=PASSWORD)

    assert [finding.code for finding in destination.check() if finding.level is api.Level.WARNING] == codes


@pytest.mark.parametrize("fault", ["refuse-sender", "refuse-recipient"])
def test_a_relay_that_wants_a_login_stops_the_connection(make: Make, relay: SmtpStandIn, fault: str) -> None:
    relay.fault(fault, code=530, text="5.7.0 Authentication required")

    with pytest.raises(api.AuthError, match="wants a login"):
        send(make())


# A relay elsewhere: 0.0.0.0 leads to this machine too, but hub does not take it for loopback.


def elsewhere(stand_in: SmtpStandIn) -> str:
    return stand_in.start().replace("127.0.0.1", "0.0.0.0")


def test_without_tls_no_password_and_no_mail_leaves_this_machine(make: Make) -> None:
    bare = SmtpStandIn()
    destination = make(server=elsewhere(bare), username="hub", password=PASSWORD)

    with pytest.raises(api.ConfigError, match="offers no STARTTLS"):
        send(destination)

    bare.stop()
    assert bare.state()["mails"] == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's and a client's context; the client trusts that server's certificate alone."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sandbox")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(ip)) for ip in ("127.0.0.1", "0.0.0.0")]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))


@pytest.mark.parametrize("implicit", [False, True])
def test_tls_with_a_trusted_certificate_carries_login_and_mail(
    make: Make, certificate: tuple[ssl.SSLContext, ssl.SSLContext], implicit: bool
) -> None:
    server, client = certificate
    secure = SmtpStandIn(tls=server, implicit_tls=implicit)
    destination = make(server=elsewhere(secure), username="hub", password=PASSWORD, tls=client)

    outcome = send(destination)

    destination.close()
    secure.stop()
    assert outcome.state is api.State.DELIVERED
    assert len(secure.state()["mails"]) == 1


@pytest.mark.parametrize("implicit", [False, True])
def test_a_certificate_nobody_vouches_for_is_refused(
    make: Make, certificate: tuple[ssl.SSLContext, ssl.SSLContext], implicit: bool
) -> None:
    secure = SmtpStandIn(tls=certificate[0], implicit_tls=implicit)
    destination = make(server=elsewhere(secure), username="hub", password=PASSWORD)

    with pytest.raises(api.ConfigError, match="certificate"):
        send(destination)

    secure.stop()
    assert secure.state()["mails"] == []


def test_without_one_click_a_thousand_mails_a_day_are_sent_and_the_rest_waits(make: Make, relay: SmtpStandIn) -> None:
    notes, clock = Notes(sent={"day": "2026-11-21", "mails": 998}), Clock()
    settings = {"unsubscribe_url": None, "unsubscribe_mailto": "unsub@shop.example"}
    destination = make(notes=notes, clock=clock, **settings)

    states = [send(destination, person(number)).state for number in range(4)]
    again = make(notes=notes, clock=clock, **settings)
    waiting = send(again, person(5))
    clock.now = NOW + timedelta(hours=12)

    assert states == [api.State.DELIVERED] * 2 + [api.State.FAILED] * 2
    assert waiting.state is api.State.FAILED
    assert "1,000" in str(waiting.reason)
    assert send(again, person(6)).state is api.State.DELIVERED
    assert "\r\nList-Unsubscribe: <mailto:unsub@shop.example?subject=" in relay.state()["mails"][0]["raw"]
    assert "List-Unsubscribe-Post" not in relay.state()["mails"][0]["raw"]


def test_the_day_s_own_limit_holds_too_and_a_refused_mail_does_not_count(make: Make, relay: SmtpStandIn) -> None:
    destination = make(per_day=1)
    relay.fault("refuse-recipient", times=1)

    states = [send(destination, person(number)).state for number in range(3)]

    assert states == [api.State.REJECTED, api.State.DELIVERED, api.State.FAILED]


def test_every_member_of_a_larger_batch_has_one_outcome(make: Make, relay: SmtpStandIn) -> None:
    members = [*map(person, range(4)), api.Member(key="f" * 32)]
    relay.fault("refuse-recipient", address="p1@example.com")
    destination = make()
    batch = api.Batch(api.Op.ADD, "carts", "key", members)

    outcomes = []
    for outcome in destination.push(batch):
        outcomes.append(outcome)
        relay.fault("temporary", times=1 if len(outcomes) == 2 else 0)

    assert [outcome.member for outcome in outcomes] == members
    assert [outcome.state.value for outcome in outcomes] == ["delivered", "rejected", "failed", "delivered", "rejected"]


def test_check_proves_everything_and_sends_nothing(make: Make, relay: SmtpStandIn) -> None:
    notes = Notes()

    findings = list(make(notes=notes, username="hub", password=PASSWORD).check())

    assert {finding.level for finding in findings} == {api.Level.OK, api.Level.INFO}
    assert any("name" in finding.text for finding in findings if finding.level is api.Level.INFO)
    assert relay.state()["mails"] == []
    assert notes == {}


def test_check_warns_where_there_is_no_one_click(make: Make) -> None:
    findings = list(make(unsubscribe_url=None, unsubscribe_mailto="mailto:unsub+{token}@shop.example").check())

    assert [finding.code for finding in findings if finding.level is api.Level.WARNING] == ["mailto-only"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("subject.txt", None),
        ("body.txt", "{% if %}"),
        ("body.html", "{{ ''.__class__.__mro__ }}"),
        ("body.txt", "{% include '../../etc/passwd' %}"),
        ("body.txt", "{% include 'body.txt' %}"),
        ("body.html", "{% extends 'body.html' %}"),
        ("body.txt", "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}"),
    ],
)
def test_a_template_that_cannot_be_used_is_an_error_of_check_and_stops_a_push(
    make: Make, relay: SmtpStandIn, workspace: Path, name: str, text: str | None
) -> None:
    if text is None:
        (workspace / "mail" / name).unlink()
    else:
        (workspace / "mail" / name).write_text(text)
    destination = make()

    errors = [finding for finding in destination.check() if finding.level is api.Level.ERROR]

    assert len(errors) == 1
    assert errors[0].next_step
    with pytest.raises(api.ConfigError):
        send(destination)
    assert relay.state()["mails"] == []


def test_check_says_what_a_dead_relay_and_a_wrong_password_are(make: Make, relay: SmtpStandIn) -> None:
    wrong = [f for f in make(username="hub", password="no").check() if f.level is api.Level.ERROR]
    relay.stop()
    dead = [f for f in make().check() if f.level is api.Level.ERROR]

    assert "refused the login" in wrong[0].text
    assert "cannot connect" in dead[0].text


def test_a_template_that_needs_more_than_the_sync_sends_stops_before_the_first_mail(
    make: Make, workspace: Path
) -> None:
    (workspace / "mail" / "body.txt").write_text("{{ name | default('') }} {{ cart_url }}")
    (workspace / "mail" / "body.html").write_text("{{ '%.2f' | format(made_up) }} {{ cart_url.parts[0] }}")
    destination = make()

    destination.prepare(["cart_url", "made_up"])
    with pytest.raises(api.ConfigError, match="cart_url") as caught:
        destination.prepare(["made_up"])
    assert "{{ cart_url | default('') }}" in str(caught.value.next_step)


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("{% if vip %}{{ coupon }}{% endif %}", "coupon, vip"),
        ("{% if false %}{{ coupon.code }}{% endif %}", "coupon"),
        ("{% for each in [] %}{{ loop.index }} {{ coupon }}{% endfor %}", "coupon"),
        ("{% if false %}{% include 'more.txt' %}{% endif %}", "from_more"),
        ("{% extends 'page.txt' %}{% block body %}{% if false %}{{ coupon }}{% endif %}{% endblock %}", "coupon"),
        ("{% if false %}{{ coupon | upper | default('') }}{% endif %}", "coupon"),
        ("{% set file = 'more' ~ '.txt' %}{% include file %}", "from_more"),
        ("{% set greeting = greeting | upper %}", "greeting"),
    ],
)
def test_a_name_in_an_untaken_branch_stops_before_the_first_mail_too(
    make: Make, workspace: Path, text: str, needed: str
) -> None:
    (workspace / "mail" / "body.txt").write_text(text)
    (workspace / "mail" / "more.txt").write_text("{{ from_more }}")
    (workspace / "mail" / "page.txt").write_text("{% block body %}{% endblock %}")

    with pytest.raises(api.ConfigError, match=f" needs {needed}, which the sync does not send"):
        make().prepare(["made_up"])


@pytest.mark.parametrize(
    "text",
    [
        "{% if coupon | default('') %}{{ coupon }}{% endif %}",
        "{{ coupon | d('') }}",
        "{% if coupon is defined %}{{ coupon }}{% endif %}",
        "{% if coupon is undefined %}-{% else %}{{ coupon }}{% endif %}",
        "{% if coupon is not defined %}-{% else %}{{ coupon }}{% endif %}",
        "{% if coupon is defined %}{% include 'more.txt' %}{% endif %}",
        "{% for coupon in ['a'] %}{% include 'more.txt' %}{% endfor %}",
        "{% set coupon = 'x' %}{% block body %}{{ coupon }}{% endblock %}",
        "{% if email %}{% set coupon = 'x' %}{% else %}{% set coupon = 'y' %}{% endif %}{{ coupon }}",
        "{% macro show(coupon) %}{{ coupon }}{% endmacro %}{{ show('x') }}",
        "{% from 'macros.txt' import show %}{{ show('x') }}",
        "{% import 'macros.txt' as macros %}{{ macros.show('x') }}",
        "{% from 'macros.txt' import show as it %}{% block body %}{{ it('x') }}{% endblock %}",
        "{% import 'macros.txt' as macros %}{% block body %}{{ macros.show('x') }}{% endblock %}",
        "{% macro show(coupon) %}{{ coupon }}{% endmacro %}{% block body %}{{ show('x') }}{% endblock %}",
        "{% include 'nowhere.txt' ignore missing %}",
        "{% if false %}{{ email }} {{ unsubscribe }} {{ postal_address }} {{ shop }} {{ range(3) }}{% endif %}",
    ],
)
def test_what_a_template_can_do_without_or_makes_itself_need_not_be_sent(
    make: Make, relay: SmtpStandIn, workspace: Path, text: str
) -> None:
    (workspace / "mail" / "body.txt").write_text(text)
    (workspace / "mail" / "more.txt").write_text("{{ coupon }}")
    (workspace / "mail" / "macros.txt").write_text("{% macro show(coupon) %}{{ coupon }}{% endmacro %}")
    destination = make()

    destination.prepare([])

    assert send(destination).state is api.State.DELIVERED


@pytest.mark.parametrize(
    ("more", "told"),
    [(b"{% if %}", r"more\.txt, line 1"), (b"\xff", r"more\.txt is not UTF-8"), (b"{{" + b"(" * 5_000, "deep")],
)
def test_a_broken_file_that_a_template_may_include_stops_before_the_first_mail(
    make: Make, workspace: Path, more: bytes, told: str
) -> None:
    (workspace / "mail" / "body.txt").write_text("{% if name is defined %}{% include 'more.txt' %}{% endif %}")
    (workspace / "mail" / "more.txt").write_bytes(more)

    with pytest.raises(api.ConfigError, match=f"broken: .*{told}"):
        make().prepare([])


def test_settings_reach_what_the_core_asks_for(make: Make) -> None:
    destination = make(cooldown="14d", per_second=3)

    assert destination.cooldown == timedelta(days=14)
    assert destination.can.rate == api.Rate(per_second=3)
    assert Smtp.can.cooldown == timedelta(days=7)
    assert Smtp.can.cap == timedelta(hours=16)
    assert (dict(Smtp.can.ops), Smtp.can.repeatable) == ({api.Op.ADD: api.Limit(1)}, False)


@pytest.mark.parametrize(
    ("settings", "key", "word"),
    [
        ({"unsubscribe_url": None}, "unsubscribe_url", "must be able to unsubscribe"),
        ({"unsubscribe_url": "http://shop.example/u?t={token}"}, "unsubscribe_url", "https"),
        ({"unsubscribe_url": "https://shop.example/u"}, "unsubscribe_url", "{token}"),
        ({"unsubscribe_url": "https://shop.example/u?t={token}&x=a b"}, "unsubscribe_url", "spaces"),
        ({"unsubscribe_url": "https://shop.example/{token}\r\nBcc: x"}, "unsubscribe_url", "spaces"),
        ({"postal_address": " "}, "postal_address", "empty"),
        ({"sender": "Shop"}, "sender", "address"),
        ({"sender": "Shop\n <news@shop.example>"}, "sender", "address"),
        ({"sender": "Shop <news@bücher.example>"}, "sender", "xn--"),
        ({"sender": "a@shop.example, c@shop.example"}, "sender", "address"),
        ({"sender": "a@shop.example, Shop <c@shop.example>"}, "sender", "address"),
        ({"sender": "A <a@shop.example>, B <b@shop.example>"}, "sender", "address"),
        ({"reply_to": "=?utf-8?q?=0D=0AX:_y?= <a@shop.example>"}, "reply_to", "address"),
        ({"bounce_address": "bounces"}, "bounce_address", "address"),
        ({"bounce_address": "bounces-of-acme-1+{token}@shop.example"}, "bounce_address", "16 may stand beside"),
        ({"unsubscribe_mailto": "{token}{token}@shop.example"}, "unsubscribe_mailto", "16 may stand beside"),
        ({"bounce_address": "a" * 65 + "@shop.example"}, "bounce_address", "64"),
        ({"list_id": "a b"}, "list_id", "list id"),
        ({"server": "http://mail.example"}, "server", "smtp"),
    ],
)
def test_settings_that_cannot_work_are_refused_by_name(make: Make, settings: Any, key: str, word: str) -> None:
    with pytest.raises(ValidationError) as caught:
        make(**settings)

    [error] = caught.value.errors()
    assert error["loc"] == (key,)
    assert word in error["msg"]


def test_a_token_and_sixteen_characters_fill_a_local_part(make: Make, relay: SmtpStandIn) -> None:
    beside = "a" * 15 + "+"

    send(make(bounce_address=f"{beside}{{token}}@shop.example", unsubscribe_mailto=f"{beside}{{token}}@shop.example"))

    [mail] = relay.state()["mails"]
    assert len(mail["envelope_from"].partition("@")[0]) == 64


def test_a_loopback_unsubscribe_page_needs_no_https(make: Make) -> None:
    assert send(make(unsubscribe_url="http://127.0.0.1:8080/u/{token}")).state is api.State.DELIVERED


def test_every_setting_is_described() -> None:
    assert all(field.description for field in SmtpConfig.model_fields.values())


def test_a_message_is_never_a_reason_to_block_a_person() -> None:
    assert judge(550, "5.1.1 user unknown", about_recipient=False).verdict is Verdict.CONTENT


def test_the_stand_in_says_what_it_does_not_know() -> None:
    stand_in = SmtpStandIn()

    for wrong in ({"name": "explode"}, {"name": "slow", "minutes": 1}, {"name": "temporary", "code": 200}):
        with pytest.raises(ValueError, match=r".+"):
            stand_in.fault(**wrong)
    assert stand_in.state()["faults"] == {}


def test_the_stand_in_is_slow_on_request_and_well_again_when_healed(relay: SmtpStandIn) -> None:
    address = relay.start()
    relay.fault("slow", seconds="0.01")
    relay.fault("refuse-recipient")

    with smtplib.SMTP("127.0.0.1", int(address.rpartition(":")[2])) as smtp:
        smtp.ehlo()
        smtp.mail("a@b.example")
        refused, _ = smtp.rcpt("c@d.example")
        relay.heal()
        taken, _ = smtp.rcpt("c@d.example")

    assert (refused, taken) == (550, 250)


@pytest.mark.parametrize(
    ("settings", "mails", "seconds"),
    [
        ({}, 11, 1),
        ({"per_second": 2}, 601, 300),
        ({"per_day": 100}, 100, 9),
        ({"per_day": 100}, 101, 86_400 + 10),
        ({"per_day": 100, "per_second": 50}, 250, 2 * 86_400 + 4),
        ({"unsubscribe_url": None, "unsubscribe_mailto": "bye@shop.example"}, 2_001, 2 * 86_400 + 200),
    ],
)
def test_mails_are_foretold_one_by_one_and_a_day_s_limit_in_days(
    make: Make, settings: dict[str, Any], mails: int, seconds: float
) -> None:
    destination = make(**settings)

    told = destination.forecast(api.Planned("carts", counts={api.Op.ADD: mails}))

    assert told == api.Forecast(calls=mails)
    assert destination.seconds(told) == seconds


def test_mails_of_today_are_in_the_forecast_of_a_day_s_limit(make: Make) -> None:
    destination = make(per_day=3)
    send(destination, person())

    assert destination.seconds(api.Forecast(calls=2)) == 0
    assert destination.seconds(api.Forecast(calls=3)) == 86_400


@pytest.mark.parametrize("purpose", ["ads", "own_shop", "sms_marketing"])
def test_nobody_is_mailed_who_was_asked_for_something_else(make: Make, purpose: str) -> None:
    destination = make()

    assert all(destination.serving(each) is destination for each in ("email_marketing", "cart_reminder"))
    with pytest.raises(api.ConfigError, match=f"the purpose cannot be {purpose}"):
        destination.serving(purpose)
