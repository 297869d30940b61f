"""The client a plugin speaks HTTP with: pace, error classes, redaction and counting are already in it."""

from __future__ import annotations

from hub.http.client import Client, Reply, connect_factory
from hub.http.limiter import Limiter
from hub.http.redaction import redactor
from hub.http.retry import Backoff, Enough

__all__ = ["Backoff", "Client", "Enough", "Limiter", "Reply", "connect_factory", "redactor"]
