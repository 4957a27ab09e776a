"""The command line and the composition roots: which processes exist, wired how."""

from importlib.metadata import version

__version__ = version("branchwatch")
