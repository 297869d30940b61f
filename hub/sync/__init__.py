"""The use cases: what joins configuration, catalog, segments, consent, plan, ledger and delivery."""
