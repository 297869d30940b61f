"""The hooks a plugin module may implement, each with an example.

Hooks offer classes; they do no work.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

from hub.api.destinations import Destination
from hub.api.segments import Segment
from hub.api.sources import Source
from hub.api.stand_ins import StandIn

PROJECT = "hub"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def hub_sources() -> Iterable[type[Source[Any]]]:  # type: ignore[empty-body]
    """Offer sources. hub configures the ones that a client's file names.

    ::

        @api.hookimpl
        def hub_sources():
            return [WooCommerce]
    """


@hookspec
def hub_segments() -> Iterable[type[Segment[Any]]]:  # type: ignore[empty-body]
    """Offer segment strategies. hub runs the ones that a client's file names.

    ::

        @api.hookimpl
        def hub_segments():
            return [HighSpenders, LowSpenders]
    """


@hookspec
def hub_destinations() -> Iterable[type[Destination[Any]]]:  # type: ignore[empty-body]
    """Offer destinations. hub configures the ones that a client's file names.

    ::

        @api.hookimpl
        def hub_destinations():
            return [Brevo]
    """


@hookspec
def hub_stand_ins() -> Iterable[type[StandIn]]:  # type: ignore[empty-body]
    """Offer local stand-ins of outside systems. ``hub sandbox`` serves them.

    ::

        @api.hookimpl
        def hub_stand_ins():
            return [BrevoStandIn]
    """
