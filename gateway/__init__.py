"""The branch edge: drivers read devices in their own protocols, an outbox keeps, an uplink sends."""
