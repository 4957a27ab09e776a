"""A process that writes into an outbox as fast as it can, cuts packs and acknowledges some, until it is killed.

It prints a line after each step that returned; what was printed must be found in the file.
"""

import itertools
import sys
from pathlib import Path

from gateway.outbox import OutboxFile
from tests.gateway.core.wire import BRANCH, NOW_MS, reading


def write(path: Path, first: int) -> None:
    outbox = OutboxFile(path, BRANCH, NOW_MS)
    print("opened", outbox.boot, flush=True)
    number = first
    for turn in itertools.count():
        count = turn % 7 + 1
        outbox.store([reading(number + i) for i in range(count)], NOW_MS, 5, durable=turn % 3 == 0)
        number += count
        print("stored", number - 1, flush=True)
        if turn % 4 == 0:
            packs = outbox.cut(5, everything=turn % 8 == 0)
            for pack in packs:
                print("cut", pack.seq, pack.readings, flush=True)
            outbox.mark_acknowledged([pack.seq for pack in packs[::2]], NOW_MS)
            for pack in packs[::2]:
                print("acknowledged", pack.seq, flush=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
