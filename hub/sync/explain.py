"""Why one person is, or is not, in each segment and audience, and what was delivered when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hub.api import Destination
from hub.consent.gate import Gate
from hub.consent.verdict import Decision
from hub.errors import HubError
from hub.keys import keyed_hash
from hub.ledger import Ledger, PersonState, Spell
from hub.segments import Explanation
from hub.segments import explain as explain_segment
from hub.sync.wiring import Wiring
from hub.sync.withholding import Withholder, own_codes, parameters

if TYPE_CHECKING:
    from hub.catalog import Session

WAIT_FOR_CATALOG = 10.0
"""Seconds that a question waits for a run that holds the catalog."""


@dataclass(frozen=True, slots=True)
class AudienceStanding:
    """A person and one audience: consent's decision, other reasons to withhold, and the stays so far.

    ``withheld`` is the code of another reason than consent; ``because`` says it in words where an extension withholds,
    or cannot be asked.
    """

    sync: str
    destination: str
    audience: str
    segment: str
    decision: Decision
    withheld: str | None
    spells: tuple[Spell, ...]
    because: str | None = None


@dataclass(frozen=True, slots=True)
class PersonExplained:
    """One person found in the catalog, explained."""

    person_id: int
    addresses: tuple[tuple[str, str], ...] = field(repr=False)
    segments: tuple[Explanation, ...]
    audiences: tuple[AudienceStanding, ...]
    blocks: PersonState


@contextmanager
def open_session(wiring: Wiring, as_of: datetime | None = None) -> Iterator[Session]:
    """Open the client's catalog for a question.

    Raises:
        HubError: there is no catalog yet, or one that is made anew by the next pull. BusyError: a run holds it for
            longer than 10 seconds.
    """
    if not wiring.catalog.is_readable:
        stale = "what was read was stored by another version of hub, or for another currency or country"
        why = stale if wiring.catalog.exists else "nothing was read yet"
        raise HubError(why, next_step=f"run `hub pull {wiring.named}` first")
    now = wiring.around.now()
    with wiring.catalog.session(as_of or now, now, wait=WAIT_FOR_CATALOG) as session:
        yield session


def open_gate(wiring: Wiring, session: Session, ledger: Ledger) -> Gate:
    """Open the consent gate for a question: with the client's rules and everybody whom the ledger blocks."""
    return Gate(
        session.con,
        settings=wiring.client.consent,
        country=wiring.client.country,
        as_of=session.as_of,
        now=session.now,
        blocks=ledger.blocks().table,
    )


def address_keys(session: Session, person_id: int) -> tuple[str, ...]:
    """Return the keyed hashes of all of a person's addresses."""
    rows = session.con.execute("select address_key from identities where person_id = ?", [person_id]).fetchall()
    return tuple(key for (key,) in rows)


def explain(wiring: Wiring, person: str, as_of: datetime | None = None) -> list[PersonExplained]:
    """Explain everybody that an e-mail, phone or customer id names; an empty list means unknown."""
    with wiring.open_ledger() as ledger, open_session(wiring, as_of) as session:
        gate = open_gate(wiring, session, ledger)
        withholder = Withholder(wiring.plugins.extensions, session)
        return [_explain_person(wiring, ledger, session, gate, withholder, found) for found in session.find(person)]


def _explain_person(
    wiring: Wiring, ledger: Ledger, session: Session, gate: Gate, withholder: Withholder, person_id: int
) -> PersonExplained:
    rows = session.con.execute(
        "select kind, value from identities where person_id = ? order by kind, value", [person_id]
    ).fetchall()
    keys = address_keys(session, person_id)
    (reference,) = session.con.execute("select person_ref from people where person_id = ?", [person_id]).fetchall()[0]
    own = keyed_hash(wiring.key, reference)
    # A key of an address may be another person's too, a family's phone: what withheld somebody is told by their own.
    state = replace(ledger.person_state((*keys, own)), withheld=ledger.person_state((own,)).withheld)
    segments = tuple(
        explain_segment(session, wiring.definitions, each.name, person_id, max_lag=wiring.client.guards.max_lag)
        for each in wiring.definitions
    )
    standings = _standings(wiring, ledger, gate, withholder, person_id, state)
    return PersonExplained(person_id, tuple(rows), segments, tuple(standings), state)


def _standings(
    wiring: Wiring, ledger: Ledger, gate: Gate, withholder: Withholder, person_id: int, state: PersonState
) -> Iterator[AudienceStanding]:
    # What an extension said in the last run is asked anew: it may be gone, or say something else by now.
    withheld = {sync: code for sync, code, _since in state.withheld if code in own_codes()}
    for name, sync in wiring.client.syncs.items():
        if not sync.enabled or sync.destination not in wiring.live_destinations:
            continue
        plugin = _plugin(wiring, sync.destination)
        purpose = sync.purpose or wiring.purpose_of(sync.destination, ledger)
        audience = sync.audience_name
        asked = parameters(wiring.client.id, name, sync.destination, audience, purpose)
        code, because = withholder.reason(person_id, asked)
        yield AudienceStanding(
            sync=name,
            destination=sync.destination,
            audience=audience,
            segment=sync.segment,
            decision=gate.explain(person_id, purpose, wiring.known_by(sync.destination, plugin.can)),
            withheld=code or withheld.get(name),
            spells=tuple(
                each for each in state.spells if each.audience == audience and each.destination == sync.destination
            ),
            because=because,
        )


def _plugin(wiring: Wiring, destination: str) -> type[Destination[Any]]:
    plugin: type[Destination[Any]] = wiring.plugins.load("destination", wiring.client.destinations[destination].plugin)
    return plugin
