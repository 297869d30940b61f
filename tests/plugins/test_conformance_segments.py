"""hub's own strategies keep the contract that third parties are held to: those beside the first six."""

from __future__ import annotations

from hub.testing import SampleShop, SegmentConformance
from hub_carts import BrowseAbandoners, CartAbandoners, FunnelStage, TimeOnSite, Viewed
from hub_engagement import ByCampaign, Engaged, OpenedNotClicked, Unengaged
from hub_lifecycle import AcquisitionChannel, Active, AtRisk, DueToReorder, JourneyStage, Lapsed, Lost, WinBack
from hub_people import Demographic, Geographic, Tags, Traits
from hub_purchases import (
    CrossSell,
    FirstTime,
    FrequentBuyers,
    FullPrice,
    HighValueItems,
    LowValueItems,
    NewCustomers,
    OccasionalBuyers,
    OneAndDone,
    ProductLine,
    Repeat,
    Seasonal,
)
from hub_rfm import Rfm
from hub_sql import Sql


class TestOneAndDone(SegmentConformance):
    plugin = OneAndDone


class TestRepeat(SegmentConformance):
    plugin = Repeat


class TestFirstTime(SegmentConformance):
    plugin = FirstTime


class TestNewCustomers(SegmentConformance):
    plugin = NewCustomers
    settings = {"window": "60d"}


class TestFullPrice(SegmentConformance):
    plugin = FullPrice


class TestFrequentBuyers(SegmentConformance):
    plugin = FrequentBuyers


class TestOccasionalBuyers(SegmentConformance):
    plugin = OccasionalBuyers
    settings = {"exclude_tags": ["staff"]}


class TestHighValueItems(SegmentConformance):
    plugin = HighValueItems


class TestLowValueItems(SegmentConformance):
    plugin = LowValueItems


class TestProductLine(SegmentConformance):
    plugin = ProductLine
    settings = {"product_types": ["shoes"]}


class TestProductLineNever(SegmentConformance):
    plugin = ProductLine
    settings = {"product_types": ["hats"], "bought": False}


class TestCrossSell(SegmentConformance):
    plugin = CrossSell
    settings = {"bought_types": ["shoes"], "never_types": ["hats"]}


class TestSeasonal(SegmentConformance):
    plugin = Seasonal


class TestNarrowCartAbandoners(SegmentConformance):
    plugin = CartAbandoners
    settings = {"product_types": ["shoes"], "who": "customers", "abandonment": "first", "min_items": 1}


class TestBrowseAbandoners(SegmentConformance):
    plugin = BrowseAbandoners
    settings = {"max_age": "30d"}


class TestTimeOnSite(SegmentConformance):
    plugin = TimeOnSite

    def fill(self, shop: SampleShop) -> None:
        for row in shop.rows["events"]:
            row["engagement_ms"] = 300_000


class TestViewed(SegmentConformance):
    plugin = Viewed
    settings = {"product_types": ["shoes"]}


class TestFunnelStage(SegmentConformance):
    plugin = FunnelStage
    settings = {"stages": ["view", "cart"]}


class TestActive(SegmentConformance):
    plugin = Active


class TestActiveByIntervals(SegmentConformance):
    plugin = Active
    settings = {"by": "intervals"}


class TestAtRisk(SegmentConformance):
    plugin = AtRisk


class TestLapsed(SegmentConformance):
    plugin = Lapsed


class TestLost(SegmentConformance):
    plugin = Lost
    settings = {"lapsed": "100d"}


class TestWinBack(SegmentConformance):
    plugin = WinBack


class TestJourneyStage(SegmentConformance):
    plugin = JourneyStage
    settings = {"stages": ["prospect", "loyal"]}


class TestDueToReorder(SegmentConformance):
    plugin = DueToReorder


class TestAcquisitionChannel(SegmentConformance):
    plugin = AcquisitionChannel
    settings = {"sources": ["google"]}

    def fill(self, shop: SampleShop) -> None:
        for row in shop.rows["events"]:
            row["traffic_source"] = "google / cpc"


class TestRfm(SegmentConformance):
    plugin = Rfm
    settings = {"groups": ["loyal", "active", "new", "prospects"], "scoring": "fixed"}


class TestEngaged(SegmentConformance):
    plugin = Engaged


class TestUnengaged(SegmentConformance):
    plugin = Unengaged
    settings = {"window": "10d", "min_received": 1}

    def fill(self, shop: SampleShop) -> None:
        shop.rows["engagement"] += [row | {"kind": "sent", "machine": None} for row in shop.rows["engagement"]]


class TestOpenedNotClicked(SegmentConformance):
    plugin = OpenedNotClicked


class TestByCampaign(SegmentConformance):
    plugin = ByCampaign
    settings = {"campaigns": ["Spring"]}


class TestDemographic(SegmentConformance):
    plugin = Demographic
    settings = {"min_age": 18, "genders": ["f"], "locales": ["da"]}

    def fill(self, shop: SampleShop) -> None:
        for row in shop.rows["customers"][::2]:
            row |= {"birth_date": "1990-05-01", "gender": "F", "locale": "da-DK"}


class TestGeographic(SegmentConformance):
    plugin = Geographic
    settings = {"countries": ["DK"], "postcodes": ["80"]}

    def fill(self, shop: SampleShop) -> None:
        for row in shop.rows["customers"][::2]:
            row["postcode"] = "8000"


class TestTags(SegmentConformance):
    plugin = Tags
    settings = {"any_of": ["vip"], "none_of": ["staff"]}


class TestTraits(SegmentConformance):
    plugin = Traits
    settings = {"trait": "size", "min_value": 10, "max_age": "60d"}


class TestSql(SegmentConformance):
    plugin = Sql
    settings = {
        "query": "select person_id, spend from facts where orders >= $least",
        "parameters": {"least": 2},
        "evidence": ["spend"],
        "needs": ["orders"],
        "explain": "select 'orders ' || orders as condition, orders >= $least as passed from facts "
        "where person_id = $person_id",
    }
