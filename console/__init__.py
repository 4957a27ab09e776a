"""What people see: the HTTP API and the pages that stand on it."""
