"""hub, the audience hub: customer segments kept in sync with consent that cannot be bypassed."""

__version__ = "0.1.0"
