"""The command line: one module per command, heavy things imported inside its function."""
