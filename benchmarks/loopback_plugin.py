"""A destination for the benchmarks: JSON rows to a server on this machine, in batches as vendors take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hub import api


class LoopbackConfig(api.Config):
    """Settings of loopback."""

    address: api.Endpoint = api.Field(description="where the server listens")
    can_add: int = api.Field(default=10_000, description="members in one call that adds")
    can_remove: int = api.Field(default=10_000, description="members in one call that removes")


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
        rows = [{"email": m.email, **m.attributes} for m in batch]
        self.http.post(f"/{batch.op}", json={"rows": rows})
        for member in batch:
            yield member.delivered()


@api.hookimpl
def hub_destinations() -> Iterable[type[api.Destination[Any]]]:
    return [Loopback]
