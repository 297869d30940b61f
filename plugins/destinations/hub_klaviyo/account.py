"""Calls to a Klaviyo account, and what its answers mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from hub import api
from hub_klaviyo import bodies

IMPORT_JOBS = "/api/profile-bulk-import-jobs"
EVENT_JOBS = "/api/event-bulk-create-jobs"
_LONGEST_FILTER = 6_000  # characters; long addresses are refused by many servers at 8,000
PAGE = 100
EVENTS_A_PAGE = 1_000
_PERSON = "created,email,first_name,last_name,locale,location,phone_number,subscriptions,updated"
_ROUNDS = 10
_ROW = re.compile(r"/data/attributes/[a-z-]+/data/(\d+)(?:/|$)(.*)")
_REASONS = {
    "HARD_BOUNCE": "hard_bounce",
    "INVALID_EMAIL": "hard_bounce",
    "SPAM_COMPLAINT": "complaint",
    "UNSUBSCRIBE": "unsubscribed",
    "USER_SUPPRESSED": "manual",
}

Json = dict[str, Any]
Taken = tuple[api.Reply | None, list[api.Member]]


class Account:
    """One account, asked through hub's client."""

    def __init__(self, http: api.Http) -> None:
        self._http = http

    def find_list(self, name: str) -> str | None:
        """Return the id of the oldest list with exactly this name; Klaviyo's names need not be unique."""
        params = {"filter": bodies.equals("name", name), "fields[list]": "name", "sort": "created", "page[size]": 10}
        return next((str(each["id"]) for each in self._all("/api/lists", params) if _attr(each, "name") == name), None)

    def create_list(self, name: str, opt_in_process: str | None) -> str:
        """Create a list and return its id; Klaviyo allows 150 a day."""
        return str(self._http.post("/api/lists", json=bodies.new_list(name, opt_in_process)).json()["data"]["id"])

    def list_name(self, list_id: str) -> str | None:
        """Return a list's name; None where there is no such list."""
        reply = self._http.get(f"/api/lists/{quote(list_id)}", params={"fields[list]": "name"}, ok=(404,))
        return None if reply.status == 404 else str(_attr(reply.json()["data"], "name"))

    def job(self, job_id: str) -> Json | None:
        """Return the attributes of an import job; None where Klaviyo no longer knows it."""
        reply = self._http.get(f"{IMPORT_JOBS}/{quote(job_id)}", ok=(404,))
        return None if reply.status == 404 else dict(reply.json()["data"]["attributes"])

    def job_errors(self, job_id: str) -> Iterator[tuple[str, str]]:
        """Yield (e-mail, reason) of the rows that an import job could not take."""
        for each in self._all(f"{IMPORT_JOBS}/{quote(job_id)}/import-errors", {"page[size]": PAGE}):
            email = _email_in(_attr(each, "original_payload"))
            if email is not None:
                yield email, reason_of(each["attributes"])

    def job_profiles(self, job_id: str) -> dict[str, str]:
        """Return profile ids by e-mail of the rows that an import job took."""
        return _ids(self._all(f"{IMPORT_JOBS}/{quote(job_id)}/profiles", _EMAILS))

    def profile_ids(self, emails: Iterable[str]) -> dict[str, str]:
        """Return profile ids by e-mail of those that Klaviyo knows, a hundred to a call."""
        found: dict[str, str] = {}
        for some in filters(emails):
            found |= _ids(self._all("/api/profiles", {**_EMAILS, "filter": some}))
        return found

    def members(self, list_id: str) -> Iterator[tuple[str, str | None]]:
        """Yield (profile id, e-mail) of everybody on a list, a hundred to a call."""
        for each in self._all(f"/api/lists/{quote(list_id)}/profiles", _EMAILS):
            yield str(each["id"]), _attr(each, "email")

    def remove(self, list_id: str, ids: Sequence[str]) -> None:
        """Take up to 1,000 profiles off a list."""
        self._http.delete(f"/api/lists/{quote(list_id)}/relationships/profiles", json=bodies.list_members(ids))

    def erase(self, email: str) -> None:
        """Ask for the erasure of a profile; nobody of that address is fine too."""
        self._http.post("/api/data-privacy-deletion-jobs", json=bodies.erasure(email), ok=(404,))

    def suppressed(self, since: datetime) -> Iterator[api.Block]:
        """Yield who was suppressed on e-mail after a moment: opt-outs, bounces, complaints, by hand."""
        field = "subscriptions.email.marketing.suppression.timestamp"
        for email, marketing in self._subscriptions(bodies.later_than(field, since)):
            for each in marketing.get("suppression") or ():
                yield _block(email, each)

    def left(self, list_ids: Iterable[str], since: datetime) -> Iterator[api.Block]:
        """Yield who was suppressed on some lists only, after a moment: who leaves one of hub's lists says no to hub."""
        wanted = set(list_ids)
        field = "subscriptions.email.marketing.list_suppressions.timestamp"
        for email, marketing in self._subscriptions(bodies.later_than(field, since)):
            for each in marketing.get("list_suppressions") or ():
                if each.get("list_id") in wanted:
                    yield _block(email, each)

    def metrics(self) -> list[Json]:
        """Return all metrics of the account: id, and attributes with name and integration."""
        return list(self._all("/api/metrics", {"fields[metric]": "name,integration"}))

    def events(
        self, metric_id: str, since: datetime | None, until: datetime, fields: str
    ) -> Iterator[tuple[Json, Json | None]]:
        """Yield a metric's events from a moment on, the oldest first, each with some fields of its profile.

        A profile that is gone is None.
        """
        params = {
            "filter": f"{bodies.equals('metric_id', metric_id)},{bodies.between('datetime', since, until)}",
            "sort": "datetime",
            "page[size]": EVENTS_A_PAGE,
            "include": "profile",
            "fields[event]": "datetime,event_properties",
            "fields[profile]": fields,
        }
        for page in self._pages("/api/events", params):
            people = {each["id"]: each for each in page.get("included") or () if each.get("type") == "profile"}
            for each in page["data"]:
                yield each, people.get(_related(each, "profile"))

    def profiles(self, wanted: str | None, sort: str) -> Iterator[list[Json]]:
        """Yield pages of the profiles that a filter names (None: all), with what they agreed to."""
        params = {
            "additional-fields[profile]": "subscriptions",
            "fields[profile]": _PERSON,
            "page[size]": PAGE,
            "sort": sort,
            **({} if wanted is None else {"filter": wanted}),
        }
        for page in self._pages("/api/profiles", params):
            yield page["data"]

    def post_rows(
        self, path: str, members: Sequence[api.Member], body: Callable[[Sequence[api.Member]], Json]
    ) -> Generator[api.Outcome, None, Taken]:
        """Post rows, leaving out those that Klaviyo names as wrong; yield their outcomes, return answer and the rest.

        One wrong row fails the whole request before anything is done ("Error objects" in Klaviyo's reference), and
        the error's pointer names the row.

        Raises:
            RejectedError: the request is refused and no row is named, or rows are named again and again.
        """
        for _ in range(_ROUNDS):
            if not members:
                return None, []
            reply = self._http.post(path, json=body(members), ok=(400,))
            if reply.status != 400:
                return reply, list(members)
            errors = errors_of(reply)
            wrong = _rows_named(errors, len(members))
            if not wrong:
                break
            for place, why in wrong.items():
                yield members[place].rejected(why)
            members = [member for place, member in enumerate(members) if place not in wrong]
        raise api.RejectedError(
            f"Klaviyo refused the request: {'; '.join(map(reason_of, errors)) or 'no reason given'}"
        )

    def _subscriptions(self, wanted: str) -> Iterator[tuple[str, Json]]:
        params = {**_EMAILS, "additional-fields[profile]": "subscriptions", "filter": wanted}
        params["fields[profile]"] = "email,subscriptions"
        for each in self._all("/api/profiles", params):
            email, subscriptions = _attr(each, "email"), _attr(each, "subscriptions") or {}
            if email:
                yield email.strip().lower(), (subscriptions.get("email") or {}).get("marketing") or {}

    def _all(self, path: str, params: Mapping[str, Any]) -> Iterator[Json]:
        """Yield the objects of all pages."""
        for page in self._pages(path, params):
            yield from page["data"]

    def _pages(self, path: str, params: Mapping[str, Any]) -> Iterator[Json]:
        """Yield all pages; only the cursor of a link is used, so that the key goes nowhere else."""
        cursor: dict[str, str] = {}
        while True:
            page = self._http.get(path, params={**params, **cursor}).json()
            yield page
            link = (page.get("links") or {}).get("next")
            told = parse_qs(urlsplit(link or "").query).get("page[cursor]")
            if not told:
                return
            cursor = {"page[cursor]": told[0]}


def errors_of(reply: api.Reply) -> list[Json]:
    """Return the errors that an answer lists; none where it is something else."""
    try:
        errors = reply.json().get("errors", [])
    except (api.TransientError, AttributeError):
        return []
    return [each for each in errors if isinstance(each, dict)]


def reason_of(error: Mapping[str, Any]) -> str:
    """Say in words what an error is, without its detail, which may name an address."""
    code, title = str(error.get("code") or "refused"), str(error.get("title") or "")
    where = str((error.get("source") or {}).get("pointer") or "").rpartition("/")[2]
    said = code if not title or "@" in title else f"{title.rstrip('.')} ({code})"
    return f"{said}: {where}" if where and not where.isdigit() and "@" not in where else said


_EMAILS: Mapping[str, Any] = {"fields[profile]": "email", "page[size]": PAGE}


def _rows_named(errors: Iterable[Json], rows: int) -> dict[int, str]:
    """Return reasons by position of the rows that errors point at."""
    named: dict[int, str] = {}
    for error in errors:
        found = _ROW.match(str((error.get("source") or {}).get("pointer") or ""))
        if found and int(found[1]) < rows:
            named.setdefault(int(found[1]), reason_of(error))
    return named


def filters(emails: Iterable[str]) -> Iterator[str]:
    """Yield filters of at most a hundred addresses each, short enough for a request's address."""
    some: list[str] = []
    length = 0
    for email in emails:
        more = len(quote(email)) + 9
        if some and (len(some) == PAGE or length + more > _LONGEST_FILTER):
            yield bodies.one_of("email", some)
            some, length = [], 0
        some.append(email)
        length += more
    if some:
        yield bodies.one_of("email", some)


def _ids(profiles: Iterable[Json]) -> dict[str, str]:
    return {email.lower(): str(each["id"]) for each in profiles if (email := _attr(each, "email"))}


def _attr(each: Json, name: str) -> Any:
    return (each.get("attributes") or {}).get(name)


def _email_in(payload: Any) -> str | None:
    """Return the address in a row as it was sent; Klaviyo gives it with and without its envelope."""
    if not isinstance(payload, dict):
        return None
    email = payload.get("email") or (payload.get("attributes") or {}).get("email")
    return str(email).lower() if email else None


def _related(each: Json, name: str) -> Any:
    related = (each.get("relationships") or {}).get(name) or {}
    return (related.get("data") or {}).get("id")


def instant(text: str) -> datetime:
    """Read a time as Klaviyo writes it."""
    told = datetime.fromisoformat(text)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _block(email: str, told: Json) -> api.Block:
    # A reason that is new to us is a reason nevertheless, to be lifted by hand.
    reason = _REASONS.get(str(told.get("reason")), "manual")
    return api.Block(reason, instant(str(told["timestamp"])), email=email)
