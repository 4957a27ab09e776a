"""MQTT intake, decoding, exactly-once storage of readings, holes and quarantine."""
