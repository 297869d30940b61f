"""Compare who may be in an audience with who the ledger says is in it, and stop what looks like an accident."""
