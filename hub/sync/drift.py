"""Compare what the ledger says an audience holds with who is in it, where the destination lets one read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from hub.api import Destination, Member
from hub.catalog import normalise_email, safe_error
from hub.config.models import SyncSettings
from hub.errors import ConfigError, HubError, PluginError
from hub.keys import keyed_hash
from hub.ledger import Ledger, MemberState
from hub.sync.lines import close_line
from hub.sync.look import mask
from hub.sync.wiring import Wiring

SAMPLE = 10
_IDS = ("remote_id", "customer_id")


@dataclass(slots=True)
class Drift:
    """One audience: how many hub holds there and how many are there, who is strange to hub and who is missing.

    ``unsettled`` of whom hub does not count as held may be there: what was sent of them is not confirmed yet, or they
    are still to be removed. ``added`` and ``missing`` are samples of masked addresses. ``why_not`` says why the
    audience was not read.
    """

    sync: str
    destination: str
    audience: str
    held: int = 0
    unsettled: int = 0
    read: int = 0
    added_count: int = 0
    missing_count: int = 0
    added: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    why_not: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        told = asdict(self)
        return told if self.why_not is not None else {name: told[name] for name in told if name != "why_not"}


def find_drift(wiring: Wiring, only: str | None = None) -> Iterator[Drift]:
    """Yield what each sync's audience differs by, or that of one sync; changes nothing anywhere.

    Raises:
        ConfigError: there is no such sync.
    """
    syncs = {name: sync for name, sync in wiring.client.syncs.items() if sync.enabled and only in {None, name}}
    if only is not None and not syncs:
        raise ConfigError(f"there is no sync {only!r}; there are {', '.join(wiring.client.syncs) or 'none'}")
    with wiring.open_ledger() as ledger:
        for name, settings in syncs.items():
            if settings.destination in wiring.live_destinations:
                yield _of_sync(wiring, ledger, name, settings)


def _of_sync(wiring: Wiring, ledger: Ledger, name: str, settings: SyncSettings) -> Drift:
    drift = Drift(name, settings.destination, settings.audience_name)
    audience = ledger.find_audience(settings.destination, settings.audience_name)
    if audience is None or audience.remote_id is None:
        drift.why_not = "nothing was delivered yet"
        return drift
    try:
        base = wiring.destination(settings.destination, ledger)
    except HubError as error:
        drift.why_not = str(error)
        return drift
    try:
        destination = base.serving(settings.purpose or base.purpose)
        if type(destination).read_members is Destination.read_members:
            drift.why_not = "the destination does not let one read who is in it"
        else:
            _compare(drift, ledger, audience.audience_id, wiring.key, destination.read_members(audience.remote_id))
    except HubError as error:
        drift.why_not = str(error)
    except Exception as error:  # noqa: BLE001  # a plugin's fault is told about that audience only
        drift.why_not = str(PluginError(f"reading its members failed: {safe_error(error)}"))
    finally:
        close_line(base)
    return drift


def _compare(drift: Drift, ledger: Ledger, audience_id: int, key: bytes, members: Iterator[Member]) -> None:
    table = ledger.membership(audience_id)
    keys, states = table.column("member_key").to_pylist(), table.column("state").to_pylist()
    maybe = {each for each, state in zip(keys, states, strict=True) if MemberState(state).may_be_held}
    surely = {each for each, state in zip(keys, states, strict=True) if MemberState(state) is MemberState.HELD}
    handles = ledger.handles(audience_id, maybe)
    by_id = {(name, known[name]): each for each, known in handles.items() for name in _IDS if known.get(name)}
    seen: set[str] = set()
    for member in members:
        drift.read += 1
        found = next((each for each in _keys_of(member, key, by_id) if each in maybe), None)
        if found is not None:
            seen.add(found)
            continue
        drift.added_count += 1
        if len(drift.added) < SAMPLE:
            drift.added.append(mask(member.email or member.phone or member.customer_id))
    gone = sorted(surely - seen)
    drift.held, drift.unsettled, drift.missing_count = len(surely), len(maybe - surely), len(gone)
    named = ("email", "phone", "customer_id")
    drift.missing = [mask(next(filter(None, map(handles[each].get, named)), None)) for each in gone[:SAMPLE]]


def _keys_of(member: Member, key: bytes, by_id: dict[tuple[str, str], str]) -> Iterator[str]:
    """Yield the keys that a member there may have here, however the destination writes the address."""
    for name in _IDS:
        if (found := by_id.get((name, getattr(member, name) or ""))) is not None:
            yield found
    if member.email:
        yield keyed_hash(key, f"email:{normalise_email(member.email) or member.email}")
    if member.phone:
        yield keyed_hash(key, f"phone:{member.phone}")
