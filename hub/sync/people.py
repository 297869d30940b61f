"""What a person may ask of the shop, and what the shop may decide about a person: suppress, forget, export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC
from shutil import rmtree
from typing import Any

from hub.api import Destination, Member, State
from hub.catalog import normalise_email, normalise_phone
from hub.config.problems import suggest
from hub.consent.rules import BLOCKED_CHANNELS, EVERY_CHANNEL
from hub.deliver import Work, as_kept, deliver, isolated
from hub.errors import BusyError, ConfigError, HubError
from hub.keys import keyed_hash
from hub.ledger import Ledger, NewBlock, Spell, lock
from hub.ledger.lock import hold
from hub.sync.explain import open_session
from hub.sync.faults import named_destination
from hub.sync.lines import close_line
from hub.sync.wiring import Wiring


@dataclass(slots=True)
class Receipt:
    """What was done about a person: lines done, and lines that are still open."""

    addresses: int = 0
    done: list[str] = field(default_factory=list)
    still_open: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {"addresses": self.addresses, "done": self.done, "open": self.still_open}


def named_addresses(wiring: Wiring, person: str) -> list[str]:
    """Return the address texts that an e-mail, phone or customer id may mean; nobody has to know them.

    Raises:
        ConfigError: it is empty, or looks like an e-mail or a phone, is none, and is no customer id that the catalog
            knows.
    """
    named = []
    if "@" in person and (email := normalise_email(person)):
        named.append(f"email:{email}")
    elif phone := normalise_phone(person, wiring.client.country):
        named.append(f"phone:{phone}")
    elif not person.strip() or (_looks_like_an_address(person) and not _is_known(wiring, person)):
        raise ConfigError(
            "that is no e-mail address, no phone number and no customer id that hub knows",
            next_step="write the address alone, such as bo@example.com or +4532123456",
        )
    systems = {wiring.system_of(source) for source in wiring.live_sources.values()}
    if not named or "@" not in person:
        named += [f"customer:{system}:{person.strip()}" for system in sorted(systems)]
    return named


def _looks_like_an_address(person: str) -> bool:
    return "@" in person or person.lstrip().startswith("+")


def _is_known(wiring: Wiring, person: str) -> bool:
    if not wiring.catalog.exists:
        return False
    with open_session(wiring) as session:
        return bool(session.find(person))


def known_addresses(wiring: Wiring, person: str) -> list[str]:
    """Return the address texts that the catalog knows of everybody whom an e-mail, phone or customer id names."""
    if not wiring.catalog.exists:
        return []
    with open_session(wiring) as session:
        rows = session.con.execute(
            "select kind, system, value from identities where person_id in (select unnest($people))",
            {"people": session.find(person)},
        ).fetchall()
    return [f"customer:{system}:{value}" if kind == "customer" else f"{kind}:{value}" for kind, system, value in rows]


def suppress(wiring: Wiring, person: str, *, channel: str = EVERY_CHANNEL, lift: bool = False) -> int:
    """Block a person's addresses by hand, or lift what only a hand may lift; return how many blocks changed.

    The address that was named is blocked before anybody else is waited for: it bars the whole person.

    Raises:
        ConfigError: there is no such channel.
        HubError: that is done, and the person's other addresses could not be looked up.
    """
    if channel not in {EVERY_CHANNEL, *BLOCKED_CHANNELS}:
        raise ConfigError(f"there is no channel {channel!r}; {suggest(channel.lower(), BLOCKED_CHANNELS)}")
    named = named_addresses(wiring, person)
    with wiring.open_ledger() as ledger:
        changed = _suppress(wiring, ledger, named, channel, lift=lift)
        try:
            others = [each for each in known_addresses(wiring, person) if each not in named]
        except HubError as error:
            done = "lifted" if lift else "blocked"
            raise HubError(
                f"{done} as named; the person's other addresses cannot be looked up: {error}",
                next_step=error.next_step,
            ) from error
        return changed + _suppress(wiring, ledger, others, channel, lift=lift)


def _suppress(wiring: Wiring, ledger: Ledger, addresses: Sequence[str], channel: str, *, lift: bool) -> int:
    keys = [keyed_hash(wiring.key, address) for address in addresses]
    if lift:
        channels = {EVERY_CHANNEL, *BLOCKED_CHANNELS} if channel == EVERY_CHANNEL else {channel}
        changed = sum(ledger.lift(key, each) for key in keys for each in sorted(channels))
    else:
        now = wiring.around.clock()
        changed = ledger.add_blocks(NewBlock(key, channel, "manual", now, "hub suppress") for key in keys)
    for key in keys:
        ledger.audit("lift" if lift else "suppress", key, channel)
    return changed


def export(wiring: Wiring, person: str) -> dict[str, Any]:
    """Return everything held about a person as JSON data; empty where nobody knows them."""
    addresses = [*named_addresses(wiring, person), *known_addresses(wiring, person)]
    held: dict[str, Any] = {}
    if wiring.catalog.exists:
        with open_session(wiring) as session:
            held = session.export_person(session.find(person))
    with wiring.open_ledger() as ledger:
        keys = [keyed_hash(wiring.key, address) for address in addresses]
        state = ledger.person_state(keys)
        ledger.audit("export", keys[0] if keys else None)
    return {
        "catalog": held,
        "audiences": [_spell_json(spell) for spell in state.spells],
        "withheld": [{"sync": sync, "code": code, "since": since.isoformat()} for sync, code, since in state.withheld],
        "holdouts": [{"sync": sync, "since": entered.isoformat()} for sync, entered, _left in state.holdouts],
        "blocks": [
            {
                "channel": block.channel,
                "reason": block.reason,
                "recorded_at": block.recorded_at.isoformat(),
                "origin": block.origin,
            }
            for block, lifted in state.blocks
            if lifted is None
        ],
    }


def forget(wiring: Wiring, person: str) -> Receipt:
    """Erase a person: blocked by keyed hash, removed at destinations, then wiped from catalog and ledger.

    It works when nobody knows the person, and twice. The blocks come first, before anybody is waited for, so that
    nothing that happens after brings the person back; what a destination still holds is in the receipt.

    Raises:
        BusyError: a run works on the client; the address that was named is blocked.
        HubError: the catalog cannot be read or written; the address that was named is blocked.
    """
    named = named_addresses(wiring, person)
    with wiring.open_ledger() as ledger:
        _bar(wiring, ledger, named)
        try:
            with hold(wiring.folder):
                # What a run that was killed may have sent counts as held: it has to be taken out too.
                ledger.recover()
                addresses = dict.fromkeys([*named, *known_addresses(wiring, person)])
                return _forget(wiring, ledger, list(addresses))
        except BusyError as error:
            raise BusyError(
                f"nobody adds this person any more, but nothing is erased yet: {error}",
                next_step="Run it again when that has ended.",
            ) from error
        except HubError as error:
            raise HubError(
                f"nobody adds this person any more, but not everything is erased yet: {error}",
                next_step=f"{(error.next_step or 'Mend that').rstrip('.')}. Then run this again.",
            ) from error


def _bar(wiring: Wiring, ledger: Ledger, addresses: Sequence[str]) -> list[str]:
    keys = [keyed_hash(wiring.key, address) for address in addresses]
    now = wiring.around.clock()
    ledger.add_blocks(NewBlock(key, EVERY_CHANNEL, "erasure", now, "hub forget") for key in keys)
    return keys


def _forget(wiring: Wiring, ledger: Ledger, addresses: Sequence[str]) -> Receipt:
    keys = _bar(wiring, ledger, addresses)
    receipt = Receipt(addresses=len(addresses))
    receipt.done.append(f"{len(keys)} addresses are blocked by keyed hash: no import brings them back")
    if all(address.startswith("customer:") for address in addresses):
        receipt.still_open.append(
            "no e-mail and no phone of that customer is known: if the shop has one, pull and run this again, or name it"
        )
    spells = [spell for spell in ledger.person_state(keys).spells if spell.left_at is None]
    with ExitStack() as stack:
        connections = dict(_destinations(wiring, ledger, receipt, stack))
        reached = [spell for spell in spells if _leave(wiring, ledger, spell, connections, receipt)]
        left = _ask_to_forget(wiring, addresses, connections, receipt)
        # Where only forgetting takes a person out, and it did not, the next run's replacement does.
        replaced = {name for name, destination in left.items() if destination.can.replaces}
        reached = [each for each in reached if each.destination not in replaced or not each.state.may_be_held]
    if wiring.catalog.exists:
        with wiring.catalog.writer(wiring.around.clock()) as writer:
            report = writer.erase(addresses)
        receipt.done.append(f"catalog: {sum(report.rows.values())} rows erased and the file written anew")
    _wipe_cache(wiring)
    waiting = {spell.member_key for spell in spells if spell not in reached}
    ledger.erase([key for key in keys if key not in waiting])
    receipt.done.append("ledger: every identifier erased; hashes of blocks and of this request are kept")
    _wipe_rehearsal(wiring, receipt)
    for key in keys:
        ledger.audit("forget", key)
    return receipt


def _destinations(
    wiring: Wiring, ledger: Ledger, receipt: Receipt, stack: ExitStack
) -> Iterator[tuple[str, Destination[Any]]]:
    for name in wiring.live_destinations:
        try:
            destination = wiring.destination(name, ledger)
        except HubError as error:
            receipt.still_open.append(f"{name}: cannot be asked ({error})")
            continue
        stack.callback(close_line, destination)
        yield name, destination


def _leave(
    wiring: Wiring, ledger: Ledger, spell: Spell, connections: dict[str, Destination[Any]], receipt: Receipt
) -> bool:
    """Take a person out of one audience now; tell whether that is done."""
    where = f"{spell.destination}, audience {spell.audience!r}"
    if not spell.state.may_be_held:
        return True
    destination = connections.get(spell.destination)
    if destination is None:
        receipt.still_open.append(
            f"{where}: still holds the person; the destination is not in the file or cannot be asked"
        )
        return False
    if destination.can.replaces:
        # Forgetting takes the person out at once; where the plugin cannot, the next run's replacement does.
        return type(destination).forget is not Destination.forget
    around = wiring.around
    work = Work(
        audience=ledger.audience_by_id(spell.audience_id),
        destination=destination,
        as_of=around.clock().astimezone(UTC),
        run_id="",
        removals=[[spell.member_key]],
        channel=None,
    )
    tally = deliver(work, ledger, clock=around.clock, sleep=around.sleep, stop=around.stop)
    if tally.delivered:
        receipt.done.append(f"{where}: removed")
        return True
    receipt.still_open.append(f"{where}: not removed yet ({tally.error or 'accepted'}); the next run does it")
    return False


def _ask_to_forget(
    wiring: Wiring, addresses: Sequence[str], connections: dict[str, Destination[Any]], receipt: Receipt
) -> dict[str, Destination[Any]]:
    """Ask every destination to erase a person, whatever becomes of it at the others; return those that did not."""
    left: dict[str, Destination[Any]] = {}
    for name, destination in connections.items():
        if type(destination).forget is Destination.forget:
            receipt.still_open.append(f"{name}: cannot erase by itself; what was sent there is for you to delete")
            continue
        for member in _known(wiring, name, destination, addresses, receipt):
            said, why_not = _forgotten(destination, member, named_destination(wiring, name))
            if why_not is None:
                receipt.done.append(f"{name}: {said}")
            else:
                receipt.still_open.append(f"{name}: not erased ({why_not}); run this again, or delete it there")
                left[name] = destination
    return left


def _forgotten(destination: Destination[Any], member: Member, named: str) -> tuple[str, str | None]:
    """Ask once; return what the destination said, and why it did not erase the person, if it did not."""
    try:
        with isolated(named, "forget"):
            told = destination.forget(member)
        outcome = as_kept(told)
    except HubError as error:
        return "", str(error)
    except ValueError as error:
        return "", f"{named} broke the contract: forget {error}"
    said = outcome.reason or outcome.state.value
    return said, None if outcome.state in {State.DELIVERED, State.ACCEPTED} else said


def _known(
    wiring: Wiring, name: str, destination: Destination[Any], addresses: Sequence[str], receipt: Receipt
) -> Iterator[Member]:
    """Yield those of a person's addresses that a destination knows people by, each as a member."""
    try:
        kinds = wiring.known_by(name, destination.can)
    except HubError as error:
        receipt.still_open.append(f"{name}: {error}")
        return
    for address in addresses:
        key = keyed_hash(wiring.key, address)
        kind, _, value = address.partition(":")
        system, _, customer_id = value.partition(":")
        if kind == "customer" and f"customer_id:{system}" in kinds:
            yield Member(key, customer_id=customer_id)
        elif kind in kinds:
            email, phone = (value if kind == each else None for each in ("email", "phone"))
            yield Member(key, email=email, phone=phone)


def _wipe_cache(wiring: Wiring) -> None:
    """Empty the connections' caches: a copy of an export may hold the person."""
    for path in sorted((wiring.folder / "cache").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def _wipe_rehearsal(wiring: Wiring, receipt: Receipt) -> None:
    """Empty what ``--sandbox`` keeps of this client: a rehearsal has the person's data too."""
    folder = wiring.rehearsal
    if wiring.stand_ins is not None or not folder.exists():
        return
    try:
        with hold(folder):
            for path in folder.iterdir():
                if path.is_dir():
                    rmtree(path)
                elif path.name != lock.FILE:
                    path.unlink()
    except BusyError as error:
        receipt.still_open.append(f"sandbox: {error}; run this again when that has ended")
    else:
        receipt.done.append("sandbox: what rehearsals of this client left is gone")


def _spell_json(spell: Spell) -> dict[str, Any]:
    times = {name: getattr(spell, name) for name in ("entered_at", "delivered_at", "left_at")}
    return {
        "destination": spell.destination,
        "audience": spell.audience,
        "state": spell.state.value,
        **{name: value.isoformat() for name, value in times.items() if value is not None},
    }
