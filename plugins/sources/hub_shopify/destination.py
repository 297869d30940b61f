"""The destination ``shopify``: a tag of customers that is kept equal to a segment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from hub import api
from hub_shopify import checks
from hub_shopify.admin import Admin
from hub_shopify.doings import Doings
from hub_shopify.settings import ShopifyTagsConfig
from hub_shopify.tags import A_CHANGE, A_LOOK, A_REQUEST, ADD, REMOVE, STANDARD, Tags, has
from hub_shopify.tokens import Tokens

_LONGEST = 255  # characters of a tag
_BUCKET = "bucket"
_NO_CUSTOMER = "the shop has no such customer any more"


class ShopifyTags(api.Destination[ShopifyTagsConfig]):
    """Keep a tag of the shop's customers, by which the shop itself can show prices, shipping or early access.

    The remote id of a member says that hub set the tag: who had it before has none, and keeps the tag.
    """

    name = "shopify"
    Config = ShopifyTagsConfig
    can = api.Capabilities(
        ops={api.Op.ADD: api.Limit(A_REQUEST), api.Op.REMOVE: api.Limit(A_REQUEST)},
        rate=api.Rate(concurrent=1),  # the pace is the shop's own: see Admin.pace
        identify_by=("customer_id",),
        purpose="own_shop",
    )

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._admin = Admin(Tokens(self))
        self._doings = Doings(self.remember)

    @cached_property
    def tags(self) -> Tags:
        """Return the tags behind the client."""
        return Tags(self._admin, self.http)

    def client(self, connect: api.Connect) -> api.Http:
        """Make the client; the token goes with each request, since it changes."""
        return connect(base_url=self.config.address)

    def pace(self, reply: api.Reply) -> float | None:
        """Wait as the shop's bucket of points says."""
        return self._admin.pace(reply)

    def classify(self, reply: api.Reply) -> api.HubError | None:
        """Judge an answer whose status says nothing: errors come with 200."""
        return self._admin.classify(reply)

    def check(self) -> Iterator[api.Finding]:
        """Prove credential, version and scope, and tell how many points are left."""
        return checks.of_tags(self._admin, self.http, self.config)

    def first_load(self, audience: str) -> str | None:
        """Say that a tag may start automations, and how fast a shop takes it."""
        return (
            f"automations that start with the tag {audience!r} (Shopify Flow, e-mail apps) may start for everybody of "
            "a first load; switch them off until it is done. A standard plan allows about nine customers a second"
        )

    def forecast(self, planned: api.Planned) -> api.Forecast:
        """Reckon a look and a change for each hundred customers, and their points.

        Everybody is taken to lack a tag that is put on, and to have one that hub put on and takes off.
        """
        found = api.Forecast()
        for op in planned.counts:
            sample = planned.samples[op]
            share = sum(op is api.Op.ADD or bool(each.remote_id) for each in sample) / max(1, len(sample))
            for size, times in planned.batches(op, self.can.ops[op]).items():
                asked = int(share > 0)
                points = size * share * (A_LOOK + A_CHANGE)
                found += api.Forecast(calls=times * asked, reads=times * asked, points=times * points)
        return found

    def seconds(self, forecast: api.Forecast) -> float:
        """Reckon how long the shop's bucket takes to fill; before the first answer a standard plan's is taken."""
        holds, restored = self.remember.get(_BUCKET) or STANDARD
        return max(0.0, forecast.points - holds) / restored

    def ensure_audience(self, name: str) -> str:
        """Return the tag; there is nothing to create.

        Raises:
            ConfigError: it cannot be a tag.
        """
        tag = name.strip()
        if not tag or "," in tag or len(tag) > _LONGEST:
            raise api.ConfigError(
                f"{name!r} cannot be a tag at Shopify: one has no comma, and at most {_LONGEST} characters",
                next_step="Give the sync another `audience`.",
            )
        return tag

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Look at the customers, then put the tag on who lacks it, or take off what hub put on."""
        adds, customers = batch.op is api.Op.ADD, {}
        for member in batch:
            if _is_number(member.customer_id or ""):
                customers[str(member.customer_id)] = member
            else:
                yield member.rejected("its id is none of a Shopify customer") if adds else member.delivered()
        yield from (self._add if adds else self._remove)(batch.audience, customers)
        self._note_bucket()

    def read_members(self, audience: str) -> Iterator[api.Member]:
        """Yield the customers with the tag; the shop's search may lag behind a change by minutes.

        They carry the remote id that says that the tag is hub's: whom a sync takes over loses the tag like all others.
        """
        for number in self.tags.having(audience):
            yield api.Member(number, customer_id=number, remote_id=number)

    def forget(self, member: api.Member) -> api.Outcome:
        """Look whether a tag that hub keeps is left on the customer; the account itself is for the shop to erase."""
        number = member.customer_id or ""
        found = self.tags.of([number])[number] if _is_number(number) else None
        left = [tag for tag in self._doings.tags if found and has(found, tag)]
        if not left:
            return member.delivered()
        return member.rejected(f"the customer still has {', '.join(left)}: set by the shop itself, or not removed yet")

    def _note_bucket(self) -> None:
        cost = self._admin.cost
        if cost and cost.restore_rate and self.remember.get(_BUCKET) != [cost.maximum, cost.restore_rate]:
            self.remember.set(_BUCKET, [cost.maximum, cost.restore_rate])

    def _add(self, tag: str, customers: dict[str, api.Member]) -> Iterator[api.Outcome]:
        found, ours = self.tags.of(list(customers)), self._doings.known(tag)
        gone = [number for number, tags in found.items() if tags is None]
        having = [number for number, tags in found.items() if tags is not None and has(tags, tag)]
        mine = [number for number in having if customers[number].key in ours]
        self._doings.end(tag, put=_keys(customers, mine), off=_keys(customers, gone))
        for number in gone:
            yield customers[number].rejected(_NO_CUSTOMER)
        for number in having:
            yield customers[number].delivered(remote_id=number if number in mine else None)
        lacking = [number for number in customers if number not in {*gone, *having}]
        for told in self._change(ADD, tag, customers, lacking):
            for number, refused in told.items():
                member = customers[number]
                yield member.rejected(refused) if refused else member.delivered(remote_id=number)

    def _remove(self, tag: str, customers: dict[str, api.Member]) -> Iterator[api.Outcome]:
        known = self._doings.known(tag)
        ours = {number: each for number, each in customers.items() if each.remote_id or each.key in known}
        found = self.tags.of(list(ours))
        having = [number for number, tags in found.items() if tags is not None and has(tags, tag)]
        gone = [number for number in ours if number not in having]
        self._doings.end(tag, off=_keys(customers, gone))
        for number in (*(customers.keys() - ours.keys()), *gone):
            yield customers[number].delivered()
        for told in self._change(REMOVE, tag, customers, having):
            for number, refused in told.items():
                member = customers[number]
                yield member.failed(refused) if refused else member.delivered()

    def _change(
        self, mutation: str, tag: str, customers: dict[str, api.Member], numbers: Sequence[str]
    ) -> Iterator[dict[str, str | None]]:
        """Change the tag of some customers, noted before it is done and after."""
        if not numbers:
            return
        self._doings.begin(tag, _keys(customers, numbers))
        for told in self.tags.put(mutation, tag, numbers):
            having = [number for number, refused in told.items() if (refused is None) == (mutation == ADD)]
            lacking = [number for number in told if number not in having]
            self._doings.end(tag, put=_keys(customers, having), off=_keys(customers, lacking))
            yield told


def _keys(customers: Mapping[str, api.Member], numbers: Iterable[str]) -> list[str]:
    return [customers[number].key for number in numbers]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
