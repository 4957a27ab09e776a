"""The outbox: what was accepted from devices is on disk here until the collector has it, and for a while after."""

from gateway.outbox.figures import OutboxStatistics, statistics
from gateway.outbox.file import OutboxFile
from gateway.outbox.outbox import Outbox
from gateway.outbox.packing import StoredPack

__all__ = ["Outbox", "OutboxFile", "OutboxStatistics", "StoredPack", "statistics"]
