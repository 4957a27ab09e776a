"""``python -m branchwatch``."""

from branchwatch.command_line import main

main()
