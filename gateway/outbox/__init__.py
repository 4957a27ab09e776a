"""The outbox: what was accepted from devices is on disk here until the collector has it, and for a while after."""

from gateway.outbox.figures import OutboxStatistics, statistics
from gateway.outbox.file import OutboxFile, StoredPack
from gateway.outbox.outbox import Outbox

__all__ = ["Outbox", "OutboxFile", "OutboxStatistics", "StoredPack", "statistics"]
