"""The recycler: deposits go where withdrawals come from, and no note is lost between them."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.atm.acceptor import NOTES_PER_DEPOSIT
from simulators.atm.demand import Purpose, next_visit
from simulators.atm.exchange import exchange_script
from simulators.atm.machine import Machine
from simulators.atm.visits import visit_script
from tests.simulators.atm.conftest import Serve
from tests.simulators.atm.xfs_client import connect

ACTS = st.lists(
    st.sampled_from(["open", "insert", "store", "roll_back", "taken", "left", "jam", "blind", "clear", "withdraw"]),
    max_size=60,
)


def recycler(seed: int = 1) -> Machine:
    return Machine(random.Random(seed), cassettes=3, capacity=300, low_threshold=40, recycler=True)


@settings(max_examples=60, deadline=None)
@given(acts=ACTS, notes=st.integers(1, NOTES_PER_DEPOSIT))
def test_notes_are_conserved_whatever_happens(acts: list[str], notes: int) -> None:
    machine = recycler()
    acceptor = machine.acceptor
    assert acceptor is not None
    for act in acts:
        match act:
            case "open" | "store" | "roll_back" | "jam" | "blind" | "clear":
                getattr(acceptor, act)()
            case "insert" if acceptor.open():
                acceptor.insert(notes)
            case "taken" | "left":
                acceptor.hand_back(taken=act == "taken")
            case "withdraw":
                machine.dispenser.stack(min(notes, 40))
                machine.dispenser.present()
                machine.dispenser.take()
        assert machine.dispenser.balance() == 0
        assert all(0 <= cassette.count <= cassette.capacity for cassette in machine.dispenser.cassettes)
    assert list(exchange_script(machine))
    assert machine.dispenser.balance() == 0
    assert acceptor.inside == 0


def test_a_month_of_customers_leaves_a_recycler_in_order() -> None:
    machine = Machine(random.Random(3), cassettes=3, capacity=2200, recycler=True)
    chance = random.Random(4)
    for _ in range(30 * 200):
        visit = next_visit(chance, recycler=True)
        for _ in visit_script(machine, visit, chance):
            continue
        if machine.dispenser.jammed:
            machine.dispenser.clear()
        if machine.dispenser.readiness != "ok" or machine.acceptor is None or machine.acceptor.readiness != "ok":
            assert list(exchange_script(machine))
        assert machine.dispenser.balance() == 0
    assert machine.witness.inserts > 1000
    assert machine.witness.presents > 2000
    assert sum(cassette.deposited for cassette in machine.dispenser.cassettes) > 0


def test_deposits_are_eighteen_notes_on_average_and_a_bundle_at_most() -> None:
    chance = random.Random(5)
    visits = [next_visit(chance, recycler=True) for _ in range(20_000)]
    deposits = [visit.notes for visit in visits if visit.purpose is Purpose.DEPOSIT]
    assert 0.20 < len(deposits) / len(visits) < 0.24
    assert 16.5 < sum(deposits) / len(deposits) < 19.5
    assert max(deposits) <= NOTES_PER_DEPOSIT


def count(unit: dict[str, Any]) -> int:
    def total(node: Any) -> int:
        return sum(map(total, node.values())) if isinstance(node, dict) else int(node)

    status = unit["cash"]["status"]
    came_in = {key: value for key, value in status.get("in", {}).items() if key != "retractOperations"}
    return total(status.get("initial", {})) + total(came_in) - total(status.get("out", {}))


@pytest.mark.parametrize("major", [1, 2, 3])
async def test_one_service_speaks_for_dispenser_and_acceptor(serve: Serve, major: int) -> None:
    async with (
        serve(recycler=True, message_major=major) as atm,
        connect(f"{atm.uri}/CashRecycler1", major) as client,
    ):
        told = (await client.ask("Common.Capabilities"))["payload"]
        assert {"CashDispenser", "CashAcceptor", "CashManagement", "Storage"} <= {
            interface["name"] for interface in told["interfaces"]
        }
        acceptor = atm.machine.acceptor
        assert acceptor is not None
        assert acceptor.open()
        status = (await client.ask("Common.Status"))["payload"]
        assert status["cashAcceptor"]["positions"][0] == {
            "position": "inDefault", "shutter": "open", "positionStatus": "empty", "transport": "ok",
            "transportStatus": "empty",
        }  # fmt: skip
        acceptor.insert(100)
        status = (await client.ask("Common.Status"))["payload"]
        assert status["cashAcceptor"]["intermediateStacker"] == "notEmpty"
        acceptor.store()
        units = (await client.ask("Storage.GetStorage"))["payload"]["storage"]
        assert units["unit1"]["cash"]["configuration"]["types"] == {"cashIn": True, "cashOut": True}
        assert [count(units[f"unit{box.number}"]) for box in atm.machine.dispenser.cassettes] == [
            box.count for box in atm.machine.dispenser.cassettes
        ]
        assert units["unit6"]["cash"]["configuration"]["types"] == {"cashIn": True}
        assert units["unit7"]["cash"]["configuration"]["types"] == {"cashInRetract": True}


async def test_an_insertion_and_its_counts_are_told(serve: Serve) -> None:
    async with serve(recycler=True) as atm, connect(f"{atm.uri}/CashRecycler1") as client:
        await client.ask("Common.Status")
        acceptor = atm.machine.acceptor
        assert acceptor is not None
        acceptor.open()
        held = acceptor.insert(50)
        acceptor.store()
        atm._host.publish()
        assert await client.event("CashManagement.ItemsInsertedEvent") == {"position": "inDefault"}
        counts = await client.event("Storage.CountsChangedEvent")
        assert counts["unit1"]["cash"]["status"]["in"]["deposited"]["typeCNY100A"]["fit"] == held
        await atm.inject("deposit_jam")
        await client.event("Common.ErrorEvent")
        await atm.repair("deposit_jam")
        assert acceptor.readiness == "ok"
