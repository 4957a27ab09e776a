"""What crosses a boundary between Branchwatch's parts: pure data, no I/O."""
