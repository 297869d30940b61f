"""Renderings of a run's numbers: tables, Markdown."""
