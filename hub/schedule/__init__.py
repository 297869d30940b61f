"""When a sync is due, and how a system's own scheduler is told to look."""

from __future__ import annotations

from hub.schedule.clock import due, next_run
from hub.schedule.export import export_cron, export_systemd, tick_minutes

__all__ = ["due", "export_cron", "export_systemd", "next_run", "tick_minutes"]
