"""The conformance kit for authors of plugins: subclass a class, name your plugin, run pytest.

::

    from hub.testing import DestinationConformance
    from hub_brevo import Brevo, BrevoStandIn

    class TestBrevo(DestinationConformance):
        plugin = Brevo
        stand_in = BrevoStandIn
        settings = {"folder_id": 7}

It needs what ``pip install 'audience-hub[testing]'`` brings.
"""

from __future__ import annotations

from hub.testing.destinations import DestinationConformance
from hub.testing.gaps import Gap, never, notimpl, notyet
from hub.testing.making import Notes, make_connection
from hub.testing.segments import SegmentConformance
from hub.testing.shop import SampleShop
from hub.testing.sources import SourceConformance

__all__ = [
    "DestinationConformance",
    "Gap",
    "Notes",
    "SampleShop",
    "SegmentConformance",
    "SourceConformance",
    "make_connection",
    "never",
    "notimpl",
    "notyet",
]
