"""How every Branchwatch process runs: settings, clock, supervision, logs, metrics, MQTT, ops database, event log."""
