"""The settings of a CSV source."""

from __future__ import annotations

import difflib
from datetime import datetime
from pathlib import PurePath
from typing import Literal

import duckdb
from pydantic import ConfigDict, field_validator, model_validator

from hub import api

STREAM_OF = {
    "customers": "customers",
    "consents": "customers",
    "traits": "customers",
    "orders": "orders",
    "order_lines": "orders",
    "carts": "carts",
    "cart_lines": "carts",
    "products": "products",
    "events": "events",
    "engagement": "engagement",
}
"""Which stream a table belongs to."""

TRUE_WORDS = ("yes", "true", "1", "y", "t")
FALSE_WORDS = ("no", "false", "0", "n", "f")
LINE_TABLES = ("order_lines", "cart_lines")
REQUIRED = {
    name: tuple(
        column.name
        for column in api.TABLES[name].columns
        if column.required and column.name not in ("line", "customer_id")
    )
    for name in STREAM_OF
}
"""What a mapping must give; a line's number and a customer's key are made where they are missing."""
WHO = ("customer_id", "email", "phone")
WITH_TRAITS = ("customers", "consents", "traits")


def closest(name: str, known: list[str]) -> str:
    """Name the closest of what is known, as the end of a sentence, or nothing."""
    by_folded = {word.casefold(): word for word in known}
    found = difflib.get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=0.5)
    return f"; the closest is '{by_folded[found[0]]}'" if found else ""


class FileMapping(api.Config):
    """How any other CSV becomes rows of one canonical table."""

    model_config = ConfigDict(populate_by_name=True)

    path: str = api.Field(min_length=1, description="File or pattern such as till/*.csv.gz, relative to the workspace")
    table: str = api.Field(description="Canonical table that the rows become, such as orders")
    columns: dict[str, str] = api.Field(default_factory=dict, description="Canonical column = header of the file")
    constants: dict[str, str | int | float | bool] = api.Field(
        default_factory=dict, description="Canonical column = the same value for every row"
    )
    traits: dict[str, str] = api.Field(default_factory=dict, description="Name of a trait = header of the file")
    query: str | None = api.Field(
        default=None, description="One select over `file` (all text), where columns cannot say it; names are canonical"
    )
    date_format: str | None = api.Field(
        default=None, description="How times are written, such as %d/%m/%Y %H:%M; default: ISO 8601"
    )
    decimal: Literal[".", ","] = api.Field(default=".", description="Decimal sign of numbers")
    true_words: tuple[str, ...] = api.Field(
        default=TRUE_WORDS, alias="true", min_length=1, description="Words that mean yes"
    )
    false_words: tuple[str, ...] = api.Field(
        default=FALSE_WORDS, alias="false", min_length=1, description="Words that mean no"
    )
    delimiter: str | None = api.Field(
        default=None, min_length=1, max_length=1, description="Sign between fields; default: found from the header"
    )
    encoding: str = api.Field(default="utf-8", description="Encoding of the file, such as cp1252")
    exported: datetime | None = api.Field(default=None, description="When the file was made; default: the file's time")
    consent_date: datetime | None = api.Field(
        default=None, description="Date of consents that carry none; default: the file's time"
    )

    @field_validator("path")
    @classmethod
    def _names_files(cls, value: str) -> str:
        if not PurePath(value).name:
            raise ValueError(f"'{value}' is a folder; write a file or a pattern such as till/*.csv")
        if any("**" in part and part != "**" for part in PurePath(value).parts):
            raise ValueError(f"'{value}' has ** beside other letters; write till/**/*.csv to look into all folders")
        return value

    @field_validator("table")
    @classmethod
    def _known_table(cls, value: str) -> str:
        if value not in STREAM_OF:
            raise ValueError(f"there is no table '{value}'{closest(value, list(STREAM_OF))}")
        return value

    @field_validator("true_words", "false_words")
    @classmethod
    def _folded(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word.strip().lower() for word in value)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError(f"'{value}' is no encoding; write utf-8, cp1252, latin-1 or utf-16") from None
        return value

    @field_validator("date_format")
    @classmethod
    def _readable_format(cls, value: str | None) -> str | None:
        if value is None:
            return None
        example = "write it like %d/%m/%Y %H:%M"
        if "%" not in value.replace("%%", ""):
            raise ValueError(f"'{value}' names no part of a date; {example}")
        try:
            with duckdb.connect() as con:
                con.execute("select try_strptime('', $1)", [value])
        except duckdb.Error:
            raise ValueError(f"'{value}' is no format of dates; {example}") from None
        return value

    @model_validator(mode="after")
    def _says_enough(self) -> FileMapping:
        known = [column.name for column in api.TABLES[self.table].columns]
        for name in (*self.columns, *self.constants):
            if name not in known:
                raise ValueError(f"the table {self.table} has no column '{name}'{closest(name, known)}")
        twice = sorted(set(self.columns) & set(self.constants))
        if twice:
            raise ValueError(f"'{twice[0]}' is in columns and in constants; keep one")
        if self.query is None and not self.columns:
            raise ValueError('say which columns to read: columns = { canonical = "Header" }, or a query')
        missing = [name for name in REQUIRED[self.table] if name not in (*self.columns, *self.constants)]
        if self.table == "traits" and self.traits and "name" not in self.columns:
            missing = [name for name in missing if name != "name"]
        if self.query is None and missing:
            raise ValueError(f"{self.table} needs {', '.join(missing)}: name its header in columns, or a constant")
        if self.query is None and self.table == "customers" and not set(self.columns) & set(WHO):
            raise ValueError(f"customers need one of {', '.join(WHO)} in columns")
        if self.query is not None and (self.columns or self.traits):
            raise ValueError("a query names its own columns: leave out columns and traits")
        if self.traits and self.table not in WITH_TRAITS:
            raise ValueError(f"traits go with the tables {', '.join(WITH_TRAITS)}, not with {self.table}")
        return self

    @property
    def stream(self) -> str:
        """Return the stream that this file feeds."""
        return STREAM_OF[self.table]


class CsvConfig(api.SourceConfig):
    """Where the files lie and how they are read."""

    folder: str | None = api.Field(
        default=None,
        description="Folder of exports whose layout hub knows, relative to the workspace",
        examples=["exports/{client}"],
    )
    recursive: bool = api.Field(default=False, description="Look into the folder's folders too")
    exported: datetime | None = api.Field(
        default=None, description="When the folder's files were made; default: each file's time"
    )
    consent_date: datetime | None = api.Field(
        default=None, description="Date of the folder's consents that carry none; default: the file's time"
    )
    files: tuple[FileMapping, ...] = api.Field(default=(), description="Any other CSV, through a mapping")

    @model_validator(mode="after")
    def _reads_something(self) -> CsvConfig:
        if self.folder is None and not self.files:
            raise ValueError('say what to read: folder = "exports/acme", or [[sources.<name>.files]]')
        return self
