"""Calls to one audience of a Mailchimp account, and what its answers mean."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hub import api
from hub_mailchimp import bodies
from hub_mailchimp.fields import Field

PAGE = 1_000
_OVERLAP = 10
_ADDRESS = re.compile(r"\S+@\S+")
_SKIP = {"skip_merge_validation": "true"}
_DELETED = "permanently deleted"

Json = dict[str, Any]


@dataclass(slots=True)
class Created:
    """What a call that creates contacts came to, by address in lower case.

    ``refused`` has reasons; ``wrong`` the merge field for whose value alone a row was refused.
    """

    new: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Tagged:
    """Who has a tag now, with their status, and what was said of the others; by address in lower case."""

    status: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


class BrokenRowsError(Exception):
    """Mailchimp answered 500: it is down, or a row is one that it breaks on."""


class Account:
    """One audience, asked through hub's client."""

    def __init__(self, http: api.Http, list_id: str) -> None:
        self._http = http
        self.list_id = list_id
        self._list = f"/lists/{list_id}"

    def is_well(self) -> bool:
        """Tell whether the API answers at all."""
        return self._http.get("/ping", ok=(500,)).status == 200

    def find_tag(self, name: str) -> str | None:
        """Return the id of the tag with exactly this name, else of one that differs in case only.

        Mailchimp searches by prefix, and takes two names that differ in case for one.
        """
        found = self._http.get(f"{self._list}/tag-search", params={"name": name}, ok=(404,))
        tags = [] if found.status == 404 else found.json()["tags"]
        same = [each for each in tags if str(each["name"]).casefold() == name.casefold()]
        exact = [each for each in same if each["name"] == name]
        return next((str(each["id"]) for each in [*exact, *same]), None)

    def create_tag(self, name: str) -> str:
        """Create a tag and return its id."""
        reply = self._http.post(f"{self._list}/segments", json=bodies.new_tag(name), ok=(404,))
        return str(self._there(reply).json()["id"])

    def fields(self) -> dict[str, Field]:
        """Return the audience's merge fields by tag."""
        params = {
            "count": PAGE,
            "fields": "merge_fields.tag,merge_fields.type,merge_fields.options",
        }
        reply = self._there(self._http.get(f"{self._list}/merge-fields", params=params, ok=(404,)))
        return {each["tag"]: Field.of(each) for each in reply.json()["merge_fields"]}

    def create_field(self, tag: str, name: str) -> Field:
        """Create a merge field.

        Raises:
            ConfigError: Mailchimp allows no more, or not this one.
        """
        reply = self._http.post(f"{self._list}/merge-fields", json=bodies.new_field(tag, name), ok=(400,))
        if reply.status == 400:
            raise api.ConfigError(
                f"Mailchimp refuses to make the merge field {tag} ({problem(reply).why})",
                next_step="Make room under Audience > Settings > Audience fields, or send fewer attributes.",
            )
        return Field.of(reply.json())

    def create(self, rows: Sequence[Mapping[str, Any]]) -> Created:
        """Create those of up to 500 contacts who are new; known ones stay as they are and are told apart.

        Raises:
            BrokenRowsError: Mailchimp answered 500.
        """
        params = {**_SKIP, "skip_duplicate_check": "true"}
        reply = self._http.post(self._list, params=params, json=bodies.new_contacts(rows), ok=(404, 500))
        if reply.status == 500:
            raise BrokenRowsError
        told = self._there(reply).json()
        made = Created(new={_email(each) for each in told.get("new_members") or ()})
        # With update_existing false there are none; if there are, they were known.
        made.known |= {_email(each) for each in told.get("updated_members") or ()}
        for error in told.get("errors") or ():
            _sort(error, made)
        return made

    def write(self, email: str, fields: Mapping[str, Any]) -> Problem | None:
        """Write merge fields of one known contact; return why that was refused, if it was."""
        reply = self._http.patch(
            f"{self._list}/members/{bodies.subscriber_hash(email)}",
            params=_SKIP,
            json=bodies.merge_fields(fields),
            ok=(400, 404),
        )
        return None if reply.status < 300 else problem(reply)

    def start(self, fields: Mapping[str, tuple[str, Mapping[str, Any]]]) -> str:
        """Let Mailchimp write merge fields of many contacts as a batch operation; return its id."""
        return str(self._http.post("/batches", json=bodies.operations(self.list_id, fields)).json()["id"])

    def batch(self, batch_id: str) -> Json | None:
        """Return how far a batch operation is; None where Mailchimp no longer knows it."""
        params = {"fields": "id,status,total_operations,finished_operations,errored_operations,response_body_url"}
        reply = self._http.get(f"/batches/{quote(batch_id, safe='')}", params=params, ok=(404,))
        return None if reply.status == 404 else dict(reply.json())

    def batch_problems(self, told: Mapping[str, Any], folder: Path) -> dict[str, Problem]:
        """Return what went wrong in a batch operation that ended, by operation id.

        The results are an archive at an address that holds for minutes; it has people in it and is not kept.
        """
        file = folder / f"mailchimp-{told['id']}.tar.gz"
        file.unlink(missing_ok=True)
        try:
            self._http.save(str(told["response_body_url"]), file)
            return dict(_problems_in(file))
        except (tarfile.TarError, ValueError, OSError) as error:
            raise api.TransientError(f"the results of a batch operation cannot be read: {error}") from None
        finally:
            file.unlink(missing_ok=True)

    def tag(self, tag_id: str, emails: Sequence[str]) -> Tagged | None:
        """Put a tag on up to 500 contacts; None where there is no such tag."""
        told = self._change(tag_id, add=emails)
        if told is None:
            return None
        made = Tagged({_email(each): str(each.get("status")) for each in told.get("members_added") or ()})
        for error in told.get("errors") or ():
            for email in error.get("email_addresses") or ():
                made.errors[str(email).lower()] = without_address(str(error.get("error") or "refused"))
        return made

    def untag(self, tag_id: str, emails: Sequence[str]) -> None:
        """Take a tag off up to 500 contacts; who does not have it does not have it, and so with no tag."""
        self._change(tag_id, remove=emails)

    def contact(self, email: str) -> Json | None:
        """Return a contact's status and tags; None where the audience has none."""
        path = f"{self._list}/members/{bodies.subscriber_hash(email)}"
        reply = self._http.get(path, params={"fields": "status,tags"}, ok=(404,))
        return None if reply.status == 404 else dict(reply.json())

    def erase(self, email: str) -> Problem | None:
        """Erase a contact for good; nobody of that address is fine too. Return why that was refused, if it was."""
        path = f"{self._list}/members/{bodies.subscriber_hash(email)}/actions/delete-permanent"
        reply = self._http.post(path, ok=(404, 405))
        return problem(reply) if reply.status == 405 else None

    def tag_members(self, tag_id: str) -> Iterator[Json]:
        """Yield id and address of everybody with a tag, whatever their status."""
        everybody = dict.fromkeys(("include_unsubscribed", "include_cleaned", "include_transactional"), "true")
        fields = "members.id,members.email_address,total_items"
        yield from self.pages(
            f"{self._list}/segments/{quote(tag_id, safe='')}/members", "members", {**everybody, "fields": fields}
        )

    def contacts(self, wanted: Mapping[str, Any], fields: Sequence[str]) -> Iterator[Json]:
        """Yield some fields of the contacts that a query names, the latest change first.

        Who changes while this is read moves to the front and repeats others behind it, so that nobody is passed over.
        """
        params = {"sort_field": "last_changed", "sort_dir": "DESC", **wanted}
        names = ",".join([*(f"members.{name}" for name in fields), "total_items"])
        yield from self.pages(f"{self._list}/members", "members", {**params, "fields": names})

    def unsubscribed(self, since: str | None, fields: Sequence[str]) -> Iterator[Json]:
        """Yield some fields of the contacts that unsubscribed after a time, or ever."""
        later = {} if since is None else {"unsubscribed_since": since}
        yield from self.contacts({"status": "unsubscribed", **later}, fields)

    def size(self) -> int:
        """Return how many contacts the audience has, whatever their status."""
        params = {"count": 1, "fields": "total_items"}
        return int(self._there(self._http.get(f"{self._list}/members", params=params, ok=(404,))).json()["total_items"])

    def asks_twice(self) -> bool:
        """Tell whether the audience asks who signs up to confirm it."""
        reply = self._there(self._http.get(self._list, params={"fields": "double_optin"}, ok=(404,)))
        return bool(reply.json().get("double_optin"))

    def campaigns(self, since: datetime, until: datetime) -> Iterator[Json]:
        """Yield the audience's campaigns that were sent in a time, the oldest first."""
        wanted = {"list_id": self.list_id, "status": "sent", "sort_field": "send_time", "sort_dir": "ASC"}
        times = {"since_send_time": bodies.moment(since), "before_send_time": bodies.moment(until)}
        names = ("id", "send_time", "settings.title", "settings.subject_line")
        fields = ",".join([*(f"campaigns.{name}" for name in names), "total_items"])
        yield from self.pages("/campaigns", "campaigns", {**wanted, **times, "fields": fields})

    def report(self, campaign: str, part: str, name: str, fields: Sequence[str], **params: Any) -> Iterator[Json]:
        """Yield some fields of the rows of a campaign's report; none of a campaign that is gone."""
        names = ",".join([*(f"{name}.{each}" for each in fields), "total_items"])
        yield from self.pages(
            f"/reports/{quote(campaign, safe='')}/{part}", name, {**params, "fields": names}, may_be_gone=True
        )

    def pages(self, path: str, name: str, params: Mapping[str, Any], *, may_be_gone: bool = False) -> Iterator[Json]:
        """Yield the objects of all pages, a thousand to a call.

        Pages overlap: offsets move when somebody leaves what is read, and nobody must be passed over.
        """
        offset = 0
        while True:
            reply = self._http.get(path, params={**params, "count": PAGE, "offset": offset}, ok=(404,))
            if reply.status == 404 and may_be_gone:
                return
            page = self._there(reply).json()
            yield from page[name]
            if not page[name] or offset + PAGE >= page["total_items"]:
                return
            offset += PAGE - _OVERLAP

    def _change(self, tag_id: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Json | None:
        path = f"{self._list}/segments/{quote(tag_id, safe='')}"
        reply = self._http.post(path, json=bodies.tagged(add, remove), ok=(404,))
        return None if reply.status == 404 else dict(reply.json())

    def _there(self, reply: api.Reply) -> api.Reply:
        """Pass on an answer, unless it says that there is no such audience."""
        if reply.status == 404:
            raise api.ConfigError(
                f"Mailchimp has no audience {self.list_id}, or not in this account",
                next_step="Look up the audience ID under Audience > Settings > Audience name and defaults.",
            )
        return reply


@dataclass(frozen=True, slots=True)
class Problem:
    """What a problem document says (RFC 9457), without addresses; ``field`` is the merge field it names."""

    status: int
    why: str
    field: str | None = None


def problem(reply: api.Reply) -> Problem:
    """Return what an answer complains about."""
    try:
        told = reply.json()
    except api.TransientError:
        told = {}
    return _problem(reply.status, told if isinstance(told, dict) else {})


def without_address(text: str) -> str:
    """Return a text with addresses taken out of it."""
    return _ADDRESS.sub("the address", text)


def instant(text: str) -> datetime:
    """Read a time as Mailchimp writes it."""
    told = datetime.fromisoformat(text)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _problem(status: int, told: Mapping[str, Any]) -> Problem:
    errors = [each for each in told.get("errors") or () if isinstance(each, dict)]
    named = next((_tag(each["field"]) for each in errors if each.get("field")), None)
    said = "; ".join(f"{each.get('field')}: {each.get('message')}" for each in errors) or str(told.get("detail") or "")
    title = str(told.get("title") or status)
    return Problem(status, without_address(f"{title}: {said}" if said else title), named)


def _sort(error: Mapping[str, Any], made: Created) -> None:
    """Sort a row that was not created: it was there, one of its fields is wrong, or Mailchimp never takes it."""
    email = _email(error)
    text = str(error.get("error") or "")
    if error.get("error_code") == "ERROR_CONTACT_EXISTS":
        made.known.add(email)
    elif _DELETED in text:
        made.refused[email] = "was deleted for good at Mailchimp, where only signing up again brings the address back"
    elif error.get("field"):
        why = without_address(str(error.get("field_message") or text))
        made.wrong[email] = (_tag(error["field"]), f"{_tag(error['field'])}: {why}")
    else:
        made.refused[email] = without_address(text) or "Mailchimp refuses the contact"


def _tag(field: object) -> str:
    """Return the merge tag that an error means: it stands alone or behind ``merge_fields.``."""
    return str(field).rpartition(".")[2]


def _email(told: Mapping[str, Any]) -> str:
    return str(told.get("email_address") or "").strip().lower()


def _problems_in(file: Path) -> Iterator[tuple[str, Problem]]:
    with tarfile.open(file, "r:gz") as archive:
        for each in archive:
            content = archive.extractfile(each) if each.isfile() and each.name.endswith(".json") else None
            if content is None:
                continue
            for result in json.load(content):
                status = int(result["status_code"])
                if status >= 300:
                    yield str(result["operation_id"]), _problem(status, _object(result.get("response")))


def _object(text: Any) -> Mapping[str, Any]:
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def addresses(contacts: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the addresses of contacts, in lower case."""
    return {_email(each) for each in contacts} - {""}
