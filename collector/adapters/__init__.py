"""Adapters of the collector: one file a time-series store."""
