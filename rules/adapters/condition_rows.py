"""Stored conditions and the checkpoint they belong to, on a connection that the caller's transaction owns."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters.tables import rule_checkpoint, rule_condition
from rules.condition import ConditionState, Phase
from rules.instance import Instance, Key
from rules.verdict import Growth, Memory, Verdict

_NAME: Final = "rules"


@dataclass(frozen=True, slots=True)
class StoredCondition:
    """A condition as it was stored."""

    key: Key
    fingerprint: str
    state: ConditionState
    at_ms: int
    memories: dict[int, Memory]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far the stored state goes.

    Attributes:
        position: commit of the time-series store up to which everything is evaluated.
        revision: number of the transaction that stored it; tells whether one whose end nobody saw was committed.
    """

    position: int
    revision: int


async def load_checkpoint(connection: AsyncConnection) -> Checkpoint | None:
    """The checkpoint, ``None`` before the first time."""
    query = select(rule_checkpoint.c.position, rule_checkpoint.c.revision).where(rule_checkpoint.c.name == _NAME)
    row = (await connection.execute(query)).first()
    return None if row is None else Checkpoint(row.position, row.revision)


async def store_checkpoint(connection: AsyncConnection, checkpoint: Checkpoint) -> None:
    """Move the checkpoint."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(rule_checkpoint).values(name=_NAME, position=checkpoint.position, revision=checkpoint.revision)
    update = {name: statement.excluded[name] for name in ("position", "revision")}
    await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=update))


async def load_conditions(connection: AsyncConnection) -> list[StoredCondition]:
    """All stored conditions."""
    return [
        StoredCondition(
            Key(row.rule_id, row.device_id, row.part),
            row.fingerprint,
            ConditionState(Phase(row.phase), row.since_ms),
            row.at_ms,
            {int(index): _memory(*stored) for index, stored in row.memories.items()},
        )
        for row in await connection.execute(select(rule_condition))
    ]


async def drop_without_rule(connection: AsyncConnection, rule_ids: Collection[str]) -> None:
    """Delete the conditions of all rules but these; one that comes back later begins anew."""
    await connection.execute(delete(rule_condition).where(rule_condition.c.rule_id.not_in(rule_ids)))


async def store_conditions(connection: AsyncConnection, instances: Collection[Instance]) -> None:
    """Store conditions as they are now; those that the readings alone tell are dropped."""
    kept = list(_rows(instance for instance in instances if not instance.is_trivial))
    gone = [
        {"r": instance.key.rule_id, "d": instance.key.device_id, "p": instance.key.part}
        for instance in instances
        if instance.is_trivial
    ]
    if gone:
        columns = rule_condition.c
        await connection.execute(
            delete(rule_condition).where(
                columns.rule_id == bindparam("r"), columns.device_id == bindparam("d"), columns.part == bindparam("p")
            ),
            gone,
        )
    if kept:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        statement = insert(rule_condition)
        update = {name: statement.excluded[name] for name in ("fingerprint", "phase", "since_ms", "at_ms", "memories")}
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["rule_id", "device_id", "part"], set_=update), kept
        )


def _rows(instances: Iterator[Instance]) -> Iterator[dict[str, object]]:
    for instance in instances:
        yield {
            "rule_id": instance.key.rule_id,
            "device_id": instance.key.device_id,
            "part": instance.key.part,
            "fingerprint": instance.rule.fingerprint,
            "phase": instance.state.phase.value,
            "since_ms": instance.state.since_ms,
            "at_ms": instance.at_ms,
            "memories": {str(index): _stored(memory) for index, memory in instance.memories.items()},
        }


def _stored(memory: Memory) -> list[object]:
    """A memory as JSON; what only counters need stands at the end, where there is any."""
    stored: list[object] = [int(memory.verdict), memory.since_ms]
    if memory.level is not None or memory.grown:
        stored += [memory.level, memory.grown]
    return stored


def _memory(verdict: int, since_ms: int, level: float | None = None, grown: Sequence[Growth] = ()) -> Memory:
    return Memory(Verdict(verdict), since_ms, level, tuple((at_ms, growth) for at_ms, growth in grown))
