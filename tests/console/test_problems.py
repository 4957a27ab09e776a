"""Every refusal is a problem with a stable code, and a foreign site gets nothing done."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from console.api import server
from console.api.endpoint import Call, Endpoint, Inputs, Nothing
from contracts.errors import ConfigurationError, DependencyUnavailable, DomainError, NotFound
from runtime.metrics import new_registry
from tests.console.house import BRANCH, House, atm


class TooLateError(DomainError):
    code = "too_late"


ERRORS: dict[str, Exception] = {
    "domain": TooLateError("thing 7: expected open, got closed; read it again"),
    "missing": NotFound("thing 7: does not exist"),
    "down": DependencyUnavailable("ops database: no answer"),
    "bug": KeyError("a secret inside"),
    "settings": ConfigurationError("a secret file"),
}


class ErrorName(Inputs):
    name: str


class Body(Inputs):
    number: int


class Echo(Inputs):
    number: int = 0


async def fail(call: Call[ErrorName, Nothing, Nothing]) -> Echo:
    raise ERRORS[call.path.name]


async def echo(call: Call[Nothing, Nothing, Body]) -> Echo:
    return Echo(number=call.body.number)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = server.build(
        (
            Endpoint("GET", "/api/v1/fail/{name}", "fail", "Fails", (ErrorName, Nothing, Nothing), Echo, fail),
            Endpoint("POST", "/api/v1/echo", "echo", "Echoes", (Nothing, Nothing, Body), Echo, echo),
        ),
        new_registry(),
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def call(method: str, url: str, **options: Any) -> tuple[int, dict[str, Any], Any]:
    async with aiohttp.ClientSession() as http, http.request(method, url, **options) as response:
        body = json.loads(await response.read())
        if response.status >= 400:
            assert response.content_type == "application/problem+json"
            assert set(body) == {"type", "title", "status", "code", "detail", "instance", "next_step", "errors"}
            assert body["status"] == response.status
            assert body["type"] == f"urn:branchwatch:problem:{body['code']}"
            assert body["next_step"]
        return response.status, dict(response.headers), body


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("domain", 409, "too_late"),
        ("missing", 404, "not_found"),
        ("down", 503, "dependency_unavailable"),
        ("bug", 500, "internal"),
        ("settings", 500, "internal"),
    ],
)
async def test_each_class_of_error_has_its_status_and_code(url: str, name: str, status: int, code: str) -> None:
    got, headers, body = await call("GET", f"{url}/api/v1/fail/{name}")
    assert (got, body["code"]) == (status, code)
    assert "secret" not in json.dumps(body)
    if status < 500 or status == 503:
        assert str(ERRORS[name]) == body["detail"]
    assert ("Retry-After" in headers) == (status == 503)


@pytest.mark.parametrize(
    ("options", "status", "code", "where"),
    [
        ({"json": {"number": "x"}}, 422, "invalid_request", "body.number"),
        ({"json": {}}, 422, "invalid_request", "body.number"),
        ({"json": {"number": 1, "nubmer": 2}}, 422, "invalid_request", "body.nubmer"),
        ({"json": [1]}, 422, "invalid_request", "body"),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, "not_json", None),
        ({"data": b"\xff\xfe", "headers": {"Content-Type": "application/json"}}, 400, "not_json", None),
        ({"data": b"", "headers": {"Content-Type": "application/json"}}, 400, "not_json", None),
        ({"data": b"number=1", "headers": {"Content-Type": "text/plain"}}, 415, "unsupported_media_type", None),
        ({"data": {"number": "1"}}, 415, "unsupported_media_type", None),
        ({"json": {"number": 1, "pad": "x" * 70_000}}, 413, "body_too_large", None),
        ({"json": {"number": 1}, "params": {"query": "x"}}, 422, "invalid_request", "query.query"),
    ],
)
async def test_a_request_that_does_not_fit_says_where(
    url: str, options: dict[str, Any], status: int, code: str, where: str | None
) -> None:
    got, _, body = await call("POST", f"{url}/api/v1/echo", **options)
    assert (got, body["code"]) == (status, code)
    assert [error["where"] for error in body["errors"]] == ([] if where is None else [where])


async def test_paths_and_methods_that_do_not_exist_are_problems_too(url: str) -> None:
    assert (await call("GET", f"{url}/api/v1/nothing"))[2]["code"] == "no_such_path"
    status, headers, body = await call("DELETE", f"{url}/api/v1/echo")
    assert (status, headers["Allow"], body["code"]) == (405, "POST", "method_not_allowed")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "192.168.0.1", "[::2]", "@127.0.0.1", ""]
)
async def test_a_host_that_is_not_this_machine_is_refused(url: str, host: str) -> None:
    status, _, body = await call("GET", f"{url}/api/v1/fail/domain", headers={"Host": host})
    assert (status, body["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1234", "127.0.0.1:80", "[::1]:8080"])
async def test_every_name_of_this_machine_is_taken(url: str, host: str) -> None:
    assert (await call("GET", f"{url}/api/v1/fail/domain", headers={"Host": host}))[0] == 409


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_command_from_another_site_is_refused(url: str, headers: dict[str, str]) -> None:
    status, _, body = await call("POST", f"{url}/api/v1/echo", json={"number": 1}, headers=headers)
    assert (status, body["code"]) == (403, "cross_origin")


async def test_a_command_from_the_own_page_or_a_program_is_taken(url: str) -> None:
    own = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    assert (await call("POST", f"{url}/api/v1/echo", json={"number": 1}, headers=own))[2] == {"number": 1}
    assert (await call("POST", f"{url}/api/v1/echo", json={"number": 2}))[2] == {"number": 2}


WRONG = (
    ("devices?limit=0", "query.limit"),
    ("devices?limit=10&limit=20", "query.limit"),
    ("devices?health=excellent", "query.health.0"),
    ("devices?kind=toaster", "query.kind"),
    ("devices?braNch=x", "query.braNch"),
    ("devices/BR 1/atm-01", "path.branch_id"),
    ("faults?cursor=!!!", "query.cursor"),
    ("faults?cursor=eHg", "query.cursor"),
    ("faults?state=sleeping", "query.state"),
    ("faults/0", "path.fault_id"),
    ("faults/99999999999999999999", "path.fault_id"),
    ("work-orders?state=lost", "query.state.0"),
    ("quarantine?code=bad_mood", "query.code"),
    ("events?after=-1", "query.after"),
)
"""Path of a request, and where the problem says it is wrong."""


async def test_each_wrong_parameter_is_named(house: House) -> None:
    for path, where in WRONG:
        body = await house.get(path.replace(" ", "%20"), 422)
        assert body["code"] == "invalid_request"
        assert where in [error["where"] for error in body["errors"]], path


async def test_history_needs_its_path_and_beginning(house: House) -> None:
    body = await house.get(f"devices/{BRANCH}/atm-01/history", 422)
    assert [(error["where"], error["got"]) for error in body["errors"]] == [
        ("query.path", "nothing"), ("query.from", "nothing"),
    ]  # fmt: skip


async def test_unknown_devices_and_faults_are_not_found(house: House) -> None:
    await house.branch().announce(atm())
    for path in ("devices/BR9999/atm-01", "devices/BR9999/atm-01/readings", "faults/4711", "work-orders/4711"):
        assert (await house.get(path, 404))["code"] == "not_found"


async def test_more_listeners_than_allowed_are_refused_and_those_who_leave_make_room(house: House) -> None:
    url = f"{house.console.url}/api/v1/events"
    async with asyncio.timeout(20):
        open_streams = [await house.http.get(url) for _ in range(3)]
        assert [stream.status for stream in open_streams] == [200, 200, 503]
        assert (await open_streams[2].json(content_type=None))["code"] == "too_many_listeners"
        open_streams[0].close()
        while (again := await house.http.get(url)).status != 200:
            await asyncio.sleep(0.05)
        for stream in (again, *open_streams):
            stream.close()
