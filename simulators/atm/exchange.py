"""What the cash crew does at a machine, step by step; yields real seconds, as a technician's work does."""

from collections.abc import Iterator

from simulators.atm.machine import Machine
from simulators.modules.technician import STEP_S


def exchange_script(machine: Machine, step_s: float = STEP_S) -> Iterator[float]:
    """Replenish: exchange on, cassettes out, full ones in, opening counts set, exchange off.

    Args:
        machine: the machine.
        step_s: how long a step takes, real seconds.

    Yields:
        Real seconds until the next move.
    """
    dispenser, cabinet = machine.dispenser, machine.cabinet
    dispenser.exchange_active = True
    yield step_s
    cabinet.open_safe()
    yield 2 * step_s
    dispenser.pull_cassettes()
    yield 2 * step_s
    dispenser.insert_cassettes(machine.fill_notes)
    yield 2 * step_s
    cabinet.close_safe()
    yield step_s
    dispenser.exchange_active = False
    cabinet.operator_switch = "run"
    yield 0.0
