"""Audiences that no sync names any more: retired, not forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hub.api import Destination
from hub.config import Client
from hub.config.models import SyncSettings
from hub.deliver import Work, deliver
from hub.errors import ConfigError, HubError
from hub.ledger import Audience, Ledger, MemberState
from hub.ledger.lock import hold
from hub.plan.guards import people
from hub.sync.lines import close_line
from hub.sync.wiring import Wiring

_KEYS_AT_ONCE = 20_000


@dataclass(slots=True)
class Retired:
    """Retired audiences that may still hold somebody: those that can be reached, and a note about each."""

    audiences: list[Audience] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def retire_missing(wiring: Wiring, ledger: Ledger) -> Retired:
    """Rename what was renamed, retire what no sync keeps, and name every retired audience that holds somebody."""
    client = wiring.client
    for name, sync in client.syncs.items():
        if sync.was and sync.was not in client.syncs:
            ledger.rename(sync.was, name)
    kept = {(sync.destination, sync.audience_name) for sync in client.syncs.values() if sync.enabled}
    paused = {(sync.destination, sync.audience_name) for sync in client.syncs.values()} - kept
    retired = Retired()
    for audience in ledger.audiences():
        known = (audience.destination, audience.name)
        if known in kept:
            continue
        held = sum(number for state, number in ledger.count_members(audience.audience_id).items() if state.may_be_held)
        if not held:
            continue
        if known in paused:
            retired.notes.append(
                f"sync {audience.sync} is paused; only consent and erasure removals reach its audience"
            )
        else:
            ledger.retire(audience.audience_id)
            retired.notes.append(retired_text(audience, held, client))
        if audience.destination in wiring.live_destinations:
            retired.audiences.append(audience)
    return retired


def settings_of(audience: Audience) -> SyncSettings:
    """Return settings for an audience without a sync, good enough for removals that a record demands."""
    return SyncSettings(segment="", destination=audience.destination, audience=audience.name)


def purpose_of(audience: Audience, client: Client, destination: Destination[Any]) -> str:
    """Return what an audience is for that no running sync keeps: as its paused sync says, else as it was delivered."""
    for sync in client.syncs.values():
        if (sync.destination, sync.audience_name) == (audience.destination, audience.name):
            return sync.purpose or destination.purpose
    return audience.purpose or destination.purpose


def retired_text(audience: Audience, held: int, client: Client) -> str:
    """Say that an audience has no sync any more, how many it holds, and how to end it."""
    text = f"audience {audience.name!r} at {audience.destination} is kept by no sync and still holds {people(held)}"
    live = client.destinations.get(audience.destination)
    if live is None or not live.enabled:
        text += (
            "; the destination is gone from the file, so nobody can be removed from it: "
            f"put [destinations.{audience.destination}] back"
        )
    return f"{text}; end it with `hub retire {client.id} {audience.name!r} --empty` or `--leave`"


def end_audience(wiring: Wiring, name: str, *, empty: bool) -> str:
    """End a retired audience: remove everybody from it, or leave it as it is; return what was done.

    Raises:
        ConfigError: there is no such audience, or a sync still keeps it.
        HubError: not everybody could be removed; what is left stays in the ledger.
    """
    with hold(wiring.folder), wiring.open_ledger() as ledger:
        audience = _find(wiring, ledger, name)
        if empty:
            _empty(wiring, ledger, audience)
        ledger.leave(audience.audience_id)
        ledger.audit(
            "retire", None, f"{audience.destination}/{audience.name}: {'emptied' if empty else 'left as it is'}"
        )
    return f"audience {audience.name!r} at {audience.destination} was {'emptied and ' if empty else ''}ended"


def _find(wiring: Wiring, ledger: Ledger, name: str) -> Audience:
    kept = {(sync.destination, sync.audience_name) for sync in wiring.client.syncs.values()}
    known = ledger.audiences()
    found = [each for each in known if name in {each.name, each.sync}]
    if len(found) != 1:
        names = ", ".join(repr(each.name) for each in known) or "none"
        raise ConfigError(f"{len(found)} audiences of {wiring.client.id} are called {name!r}; there are {names}")
    if (found[0].destination, found[0].name) in kept:
        raise ConfigError(
            f"sync {found[0].sync!r} still keeps audience {found[0].name!r}",
            next_step=f"take the sync out of clients/{wiring.client.id}.toml first",
        )
    return found[0]


def _empty(wiring: Wiring, ledger: Ledger, audience: Audience) -> None:
    destination = wiring.destination(audience.destination, ledger)
    members = ledger.membership(audience.audience_id)
    keys = [
        key
        for key, state in zip(members["member_key"].to_pylist(), members["state"].to_pylist(), strict=True)
        if MemberState(state).may_be_held
    ]
    around = wiring.around
    work = Work(
        audience=audience,
        destination=destination,
        as_of=around.clock(),
        run_id="",
        removals=[keys[start : start + _KEYS_AT_ONCE] for start in range(0, len(keys), _KEYS_AT_ONCE)],
        channel=None,
    )
    try:
        tally = deliver(work, ledger, clock=around.clock, sleep=around.sleep, stop=around.stop)
    finally:
        close_line(destination)
    left = tally.failed + tally.unknown + tally.rejected + tally.held_back
    if left or tally.error:
        why = tally.error or tally.stopped or "see the destination"
        raise HubError(
            f"{left} people could not be removed from {audience.name!r}: {why}",
            next_step="run it again, or use --leave",
        )
