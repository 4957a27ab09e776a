"""Looks for devices on the addresses it is given, and proposes settings for them: ``branchwatch gateway discover``."""
