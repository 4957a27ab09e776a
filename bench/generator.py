"""The gateways of ``bench.ingest``, in a process of their own: ``python -m bench.generator PORT BOARD``.

It takes orders as lines of JSON on standard input and answers each with one when it is carried out. Its connections are bare
sockets and its packs are made for several gateways at once, so that it takes little of what the collector is measured with.
"""

import itertools
import json
import os
import select
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click

from bench.branches import branch_ids
from bench.commit_board import CommitBoard
from bench.packs import READINGS_A_PACK, Rounds, Sender
from bench.publisher import Publisher

CONNECTIONS: Final = 4
BURST: Final = 10
"""Packs sent together."""

MOST_UNDER_WAY: Final = 500
"""Messages on a connection that the broker has not acknowledged."""

BACKFILLED_MS: Final = 3_600_000
"""Age of back-filled readings."""

_REST_S: Final = 0.002


@dataclass(frozen=True, slots=True)
class Sending:
    """What was sent.

    Attributes:
        packs: packs that the broker acknowledged.
        seconds: from the first to the last.
        cpu_s: processor time of this process meanwhile, seconds.
    """

    packs: int
    seconds: float
    cpu_s: float


class Generator:
    """The gateways, in equal shares on a few connections.

    Args:
        port: of the broker.
        board: what the collector has committed.
        gateways: how many.
        series: series of each.
    """

    def __init__(self, port: int, board: CommitBoard, gateways: int, series: int) -> None:
        self._board = board
        rounds = Rounds(series)
        senders = [
            Sender(branch_id, number, str(uuid.uuid4()), rounds)
            for number, branch_id in enumerate(itertools.islice(branch_ids(), gateways))
        ]
        self._publishers = [Publisher(port, f"bench-{os.getpid()}-{number}") for number in range(CONNECTIONS)]
        self._senders = senders
        self._bursts = itertools.cycle([
            (self._publishers[number % CONNECTIONS], senders[first : first + BURST])
            for number, first in enumerate(range(0, gateways, BURST))
        ])  # fmt: skip
        self._sent = 0
        self._to_backfill = 0.0

    def announce(self) -> None:
        """Statuses and inventories of all, retained."""
        for number, sender in enumerate(self._senders):
            publisher = self._publishers[number % CONNECTIONS]
            publisher.send(sender.announcements(time.time_ns() // 1_000_000), retain=True)
            self._wait(publisher, 100)
        self._settle()

    def send(
        self, *, packs: int | None, seconds: float | None, rate: float | None, window: int | None, backfill: float
    ) -> Sending:
        """Send until so many packs are sent or so many seconds are over, then wait for the broker's acknowledgements.

        Args:
            packs: how many, or ``None``.
            seconds: how long, or ``None``.
            rate: readings a second, ``None`` for as many as the window allows.
            window: packs sent and not committed by the collector, ``None`` for as many as the broker takes.
            backfill: share of the packs that are sent as a backlog.
        """
        began_s, began_cpu_s, began = time.monotonic(), time.process_time(), self._sent
        while packs is None or self._sent - began < packs:
            lasted_s = time.monotonic() - began_s
            if seconds is not None and lasted_s >= seconds:
                break
            if (window is not None and self._sent - self._board.packs >= window) or (
                rate is not None and (self._sent - began) * READINGS_A_PACK > rate * lasted_s
            ):
                for publisher in self._publishers:
                    publisher.hear()
                time.sleep(_REST_S)  # a process of one thread: ahead of its rate, or of what is committed
                continue
            publisher, senders = next(self._bursts)
            self._wait(publisher, MOST_UNDER_WAY)
            publisher.send([self._message(sender, backfill) for sender in senders])
            self._sent += len(senders)
        self._settle()
        return Sending(self._sent - began, time.monotonic() - began_s, time.process_time() - began_cpu_s)

    def close(self) -> None:
        """Disconnect."""
        for publisher in self._publishers:
            publisher.close()

    def _message(self, sender: Sender, backfill: float) -> tuple[bytes, bytes]:
        now_ms = time.time_ns() // 1_000_000
        self._to_backfill += backfill
        if self._to_backfill >= 1.0:
            self._to_backfill -= 1.0
            return sender.backfill, sender.pack(now_ms, BACKFILLED_MS)
        return sender.telemetry, sender.pack(now_ms)

    def _wait(self, publisher: Publisher, most: int) -> None:
        publisher.hear()
        while publisher.under_way > most:
            select.select([publisher], [], [], 1.0)
            publisher.hear()

    def _settle(self) -> None:
        for publisher in self._publishers:
            self._wait(publisher, 0)


def _orders() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


@click.command()
@click.argument("port", type=int)
@click.argument("board", type=Path)
@click.option("--gateways", type=int, required=True)
@click.option("--series", type=int, required=True)
def main(port: int, board: Path, gateways: int, series: int) -> None:
    """Be the gateways."""
    generator = Generator(port, CommitBoard.open(board), gateways, series)
    for order in _orders():
        if order["do"] == "announce":
            generator.announce()
            answer: dict[str, Any] = {}
        else:
            bounds = {name: order.get(name) for name in ("packs", "seconds", "rate", "window")}
            answer = asdict(generator.send(**bounds, backfill=order.get("backfill", 0.0)))
        print(json.dumps(answer), flush=True)
    generator.close()


if __name__ == "__main__":
    main()
