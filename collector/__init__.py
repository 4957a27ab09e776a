"""MQTT intake, decoding and the time-series stores: from the wire to durable columns, each reading once."""
