"""Stand-ins for the hardware: physical models behind the devices' own protocols, and scenarios that break them."""
