"""Work orders: opened by faults, moved by people, verified by telemetry."""
