"""One folder a protocol. A driver turns what a device says into observations of the device catalogue."""
