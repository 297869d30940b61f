"""Take over an audience that exists: whoever is in it counts as held, and leaves if they do not belong."""

from __future__ import annotations

from collections.abc import Iterator

from hub.api import Destination, Member
from hub.catalog import address_text, normalise_email, normalise_phone, safe_error
from hub.errors import ConfigError, HubError, PluginError
from hub.keys import keyed_hash
from hub.ledger import Ledger
from hub.ledger.packing import handle_of
from hub.plan.guards import people
from hub.sync.target import Target


def adopt(ledger: Ledger, target: Target, known_by: tuple[str, ...], key: bytes) -> str | None:
    """Read who is in the audience that a sync takes over, once, into the ledger; return what a user should know.

    ``known_by`` are the kinds of address that the destination knows people by, ``key`` is the client's. A member with
    none of them is known by the destination's own id alone: nobody whom consent cleared, so they leave.

    Raises:
        ConfigError: the sync keeps another audience already.
        HubError: the audience cannot be read now; nothing is taken over.
    """
    wanted, kept = target.settings.audience_id, target.audience.remote_id
    if wanted is None or kept == wanted:
        return None
    others = (each for each in ledger.audiences() if each.destination == target.audience.destination)
    if (other := next((each for each in others if each.remote_id == wanted), None)) is not None:
        raise ConfigError(
            f"syncs.{target.name}: the audience {wanted} is kept already, as {other.name!r}",
            next_step=f'Name it by `audience = "{other.name}"` instead of audience_id: hub knows who is in it.',
        )
    if kept is not None:
        raise ConfigError(
            f"syncs.{target.name}: the audience {target.audience.name!r} is kept as {kept} already, and audience_id "
            f"names {wanted}",
            next_step="Give the sync another `audience`, so that hub tells the two apart.",
        )
    if type(target.destination).read_members is Destination.read_members:
        return _unreadable(target)
    try:
        read = ledger.take_over(
            target.audience.audience_id, wanted, _members(target.destination.read_members(wanted), known_by, key)
        )
    except NotImplementedError:
        return _unreadable(target)
    except HubError as error:
        raise HubError(f"who is in {wanted} cannot be read: {error}", next_step=error.next_step) from error
    except Exception as error:
        raise PluginError(f"reading who is in {wanted} failed: {safe_error(error)}") from error
    was = "was" if read == 1 else "were"
    return f"{people(read)} {was} in {wanted} when hub took it over; who is not in the segment, or not cleared, leaves"


def _unreadable(target: Target) -> str:
    return (
        f"{target.settings.destination} does not let one read who is in {target.settings.audience_id}: whoever was in "
        "it before hub stays until removed there"
    )


def _members(members: Iterator[Member], known_by: tuple[str, ...], key: bytes) -> Iterator[tuple[str, str]]:
    """Yield of each member the key that consent and the plan know them by, and what removes them again."""
    for member in members:
        if (address := _address(member, known_by)) is not None:
            handle = handle_of(member.email, member.phone, member.remote_id, member.customer_id)
            yield keyed_hash(key, address), handle


def _address(member: Member, known_by: tuple[str, ...]) -> str | None:
    known = {
        "email": normalise_email(member.email) or member.email if member.email else None,
        "phone": normalise_phone(member.phone, None) or member.phone if member.phone else None,
        "customer_id": member.customer_id,
    }
    for each in known_by:
        kind, _, system = each.partition(":")
        if value := known[kind]:
            return address_text(kind.removesuffix("_id"), value, system)
    return f"remote:{member.remote_id}" if member.remote_id else None
