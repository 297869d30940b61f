"""Canonical tables of one client: Arrow in, DuckDB inside."""

from __future__ import annotations

from hub.catalog.addresses import address_text, normalise_email, normalise_phone
from hub.catalog.database import Catalog
from hub.catalog.facts import FACT_COLUMNS, tables_behind
from hub.catalog.failures import (
    MORE_MEMORY,
    CatalogFailedError,
    is_out_of_memory,
    plain_failures,
    safe_error,
    safe_text,
)
from hub.catalog.models import (
    CatalogSettings,
    ErasureReport,
    Given,
    Matches,
    OptOut,
    Reading,
    RebuildReport,
    RejectedRow,
    Shrink,
    StreamReport,
    TableReach,
    Till,
)
from hub.catalog.past import overwritten
from hub.catalog.session import Session
from hub.catalog.tables import DERIVED_TABLES, canonical_tables
from hub.catalog.writer import Writer

__all__ = [
    "DERIVED_TABLES",
    "FACT_COLUMNS",
    "MORE_MEMORY",
    "Catalog",
    "CatalogFailedError",
    "CatalogSettings",
    "ErasureReport",
    "Given",
    "Matches",
    "OptOut",
    "Reading",
    "RebuildReport",
    "RejectedRow",
    "Session",
    "Shrink",
    "StreamReport",
    "TableReach",
    "Till",
    "Writer",
    "address_text",
    "canonical_tables",
    "is_out_of_memory",
    "normalise_email",
    "normalise_phone",
    "overwritten",
    "plain_failures",
    "safe_error",
    "safe_text",
    "tables_behind",
]
