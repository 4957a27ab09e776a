"""Physical models of what machines of several kinds are built of; no protocol, no I/O, no clock of their own."""
