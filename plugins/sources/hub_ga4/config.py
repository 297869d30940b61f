"""The settings of an Analytics export."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import field_validator, model_validator

from hub import api

GOOGLE, AMAZON = "gs://", "s3://"


class Ga4Config(api.SourceConfig):
    """Where the files of the export lie, and how their days are to be read."""

    path: str = api.Field(
        min_length=1,
        description="Folder or pattern of daily events_YYYYMMDD* files: in the workspace, or gs://bucket/folder, "
        "or s3://bucket/folder",
        examples=["exports/{client}/ga4"],
    )
    timezone: str | None = api.Field(
        default=None,
        description="The property's reporting time zone, an IANA name (Analytics: Admin > Property details); "
        "default: the client's",
    )
    carts: api.Duration = api.Field(
        default=timedelta(days=90),
        ge=timedelta(days=1),
        le=timedelta(days=730),
        description="How far back carts are rebuilt from events",
    )
    service_account: api.Secret | None = api.Field(
        default=None, description="gs://: the JSON key of a service account that may read the bucket"
    )
    access_key_id: str | None = api.Field(default=None, description="s3://: the id of an access key")
    secret_access_key: api.Secret | None = api.Field(default=None, description="s3://: the access key itself")
    region: str | None = api.Field(default=None, description="s3://: the bucket's region, such as eu-central-1")
    anonymous: bool = api.Field(default=False, description="The bucket is public: send no credentials")
    endpoint: api.Endpoint | None = api.Field(
        default=None, description="Address of another storage that speaks the same protocol; default: the vendor's own"
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        try:
            ZoneInfo(value or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{value!r} is no time zone; write an IANA name such as Europe/Copenhagen") from None
        return value

    @model_validator(mode="after")
    def _credentials_fit(self) -> Ga4Config:
        if "://" in self.path and not self.path.startswith((GOOGLE, AMAZON)):
            raise ValueError("the path is a folder, gs://bucket/folder or s3://bucket/folder")
        for name in ("access_key_id", "region"):
            if getattr(self, name) is not None and not self.path.startswith(AMAZON):
                raise ValueError(f"{name} goes with a path that begins with {AMAZON}")
        if self.access_key_id is not None and self.anonymous:
            raise ValueError("anonymous means that no credentials are sent: leave access_key_id out")
        if self.access_key_id is not None and self.secret_access_key is None:
            raise ValueError("access_key_id goes with the secret secret_access_key: hub secret set")
        return self

    @property
    def google_key(self) -> str | None:
        """Return the service account's key where it is to be used."""
        if self.service_account is None or self.anonymous or not self.path.startswith(GOOGLE):
            return None
        return self.service_account.get_secret_value()
