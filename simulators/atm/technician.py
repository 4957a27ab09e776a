"""What people with a key do at the machine, step by step, with the marks that leaves.

Scripts like those of customers, but they yield real seconds: a technician works at the real pace, so that a demonstration
can watch. Before one begins, the operator switch has been turned off ``run`` and the last customer has left.
"""

from collections.abc import Callable, Iterator

from simulators.atm.machine import Machine

_STEP_S = 0.25


def repair_script(machine: Machine, mend: Callable[[], None]) -> Iterator[float]:
    """Take the machine into vendor mode, mend it, try it, give it back: 2 to 3 s.

    Args:
        machine: the machine.
        mend: the hand's work itself.

    Yields:
        Real seconds until the next move.
    """
    cabinet = machine.cabinet
    cabinet.vendor_mode = "enterPending"
    yield _STEP_S
    cabinet.enter_vendor_mode()
    cabinet.cabinet_door = "open"
    yield 2 * _STEP_S
    mend()
    yield 2 * _STEP_S
    machine.dispenser.test()
    yield 2 * _STEP_S
    cabinet.cabinet_door = "closed"
    cabinet.vendor_mode = "exitPending"
    yield _STEP_S
    cabinet.exit_vendor_mode()
    cabinet.operator_switch = "run"
    yield 0.0


def exchange_script(machine: Machine) -> Iterator[float]:
    """Replenish as the cash crew does: exchange on, cassettes out, full ones in, opening counts set, exchange off.

    Yields:
        Real seconds until the next move.
    """
    dispenser, cabinet = machine.dispenser, machine.cabinet
    dispenser.exchange_active = True
    yield _STEP_S
    cabinet.open_safe()
    yield 2 * _STEP_S
    dispenser.pull_cassettes()
    yield 2 * _STEP_S
    dispenser.insert_cassettes(machine.fill_notes)
    yield 2 * _STEP_S
    cabinet.close_safe()
    yield _STEP_S
    dispenser.exchange_active = False
    cabinet.operator_switch = "run"
    yield 0.0
