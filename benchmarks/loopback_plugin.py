"""For the benchmarks' workspace: people by number, and a destination that takes JSON rows as vendors do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hub import api


class LoopbackConfig(api.Config):
    """Settings of loopback."""

    address: api.Endpoint = api.Field(description="where the server listens")


class Loopback(api.Destination[LoopbackConfig]):
    """Post each batch as one JSON document."""

    name = "loopback"
    Config = LoopbackConfig
    can = api.Capabilities(
        ops={api.Op.ADD: api.Limit(10_000), api.Op.UPDATE: api.Limit(10_000), api.Op.REMOVE: api.Limit(1_000)}
    )

    def client(self, connect: api.Connect) -> api.Http:
        return connect(base_url=self.config.address)

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        profiles = [
            {"type": "profile", "attributes": {"email": m.email, "properties": dict(m.attributes)}} for m in batch
        ]
        self.http.post(f"/{batch.op}", json={"profiles": profiles})
        for member in batch:
            yield member.delivered()


class SliceConfig(api.Config):
    """Settings of slice."""

    start: int = api.Field(description="numbers above this one")
    stop: int = api.Field(description="up to this one")


class Slice(api.Segment[SliceConfig]):
    """People by their number, so that a benchmark can say how many come and go."""

    name = "slice"
    version = 1
    Config = SliceConfig
    sql = "select person_id from people where person_id > $start and person_id <= $stop"


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    return [Slice]


@api.hookimpl
def hub_destinations() -> Iterable[type[api.Destination[Any]]]:
    return [Loopback]
