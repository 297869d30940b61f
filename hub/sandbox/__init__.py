"""Local stand-ins of outside systems, so that a client's wiring can be rehearsed without accounts."""

from __future__ import annotations

from hub.sandbox.running import Running, find_sandbox, read_sandbox
from hub.sandbox.sandbox import Sandbox

__all__ = ["Running", "Sandbox", "find_sandbox", "read_sandbox"]
