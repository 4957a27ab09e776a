"""The HTTP interface of an AXIS People Counter, under both of its paths.

Source: Axis, "People counter API" (VAPIX, applications): ``live-sum.json``, ``list-cnt.json``, ``export-json``,
``params.json``, ``live-occupancy.json``, for operators ``clear-data``. The order of the values in ``export-json`` (in, out), the numbers of its types and
the members of ``params.json`` and ``live-occupancy.json`` are not documented: unverified.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from aiohttp import web

from simulators.footfall.counter import Counter
from simulators.footfall.credentials import Guard, Verdict

OLDER_PATH, NEWER_PATH = "/local/people-counter/.api", "/local/tvpc/.api"
"""Older and newer firmware."""

_OPERATOR = "operator"
"""What follows the path for commands that change something."""

_WIDTHS_MINUTES = {"15m": 15, "1h": 60, "24h": 1440}
_SECOND = "%Y%m%d%H%M%S"
_DAY = "%Y%m%d"
_TYPES = {"Total In": 66, "Total Out": 67}


class Device(Protocol):
    """The sensor behind the interface."""

    name: str
    model: str
    firmware: str

    @property
    def counter(self) -> Counter:
        """The counter, its view up to date."""
        ...

    def camera_time(self) -> datetime:
        """Time by the device's clock."""
        ...

    def refusal(self) -> int | None:
        """HTTP status with which it refuses everything now, ``None`` while it works."""
        ...


def application(
    device: Device, guard: Guard | None, paths: Sequence[str] = (OLDER_PATH, NEWER_PATH)
) -> web.Application:
    """Build the interface.

    Args:
        device: what it speaks for.
        guard: who may ask, ``None`` for everybody.
        paths: under which paths it is found.
    """
    interface = _Interface(device, guard)
    app = web.Application()
    app.add_routes([web.get(path, interface.answer) for path in paths])
    app.add_routes([web.get(path + _OPERATOR, interface.obey) for path in paths])
    return app


class _Interface:
    def __init__(self, device: Device, guard: Guard | None) -> None:
        self._device = device
        self._guard = guard
        self._commands: dict[str, Callable[[web.Request], dict[str, Any]]] = {
            "live-sum.json": self._live_sum,
            "live-occupancy.json": self._live_occupancy,
            "list-cnt.json": self._list_days,
            "export-json": self._export,
            "params.json": self._parameters,
        }

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request; the command is the first name of its query."""
        return self._stop_at_the_door(request) or self._answer(request)

    async def obey(self, request: web.Request) -> web.Response:
        """Do what an operator asks for."""
        stopped = self._stop_at_the_door(request)
        if stopped is not None:
            return stopped
        if next(iter(request.query), "") != "clear-data":
            return web.Response(status=404, text="no such command; there is clear-data")
        self._device.counter.clear()
        return web.Response(text="OK")

    def _stop_at_the_door(self, request: web.Request) -> web.Response | None:
        refusal = self._device.refusal()
        if refusal is not None:
            return web.Response(status=refusal, text="the people counter application does not answer")
        if self._guard is None:
            return None
        verdict = self._guard.judge(request.headers.get("Authorization"), request.method, request.raw_path)
        if verdict is Verdict.WELCOME:
            return None
        response = web.Response(status=401, text="authentication required")
        for challenge in self._guard.challenges(verdict):
            response.headers.add("WWW-Authenticate", challenge)
        return response

    def _answer(self, request: web.Request) -> web.Response:
        command = next(iter(request.query), "")
        if command not in self._commands:
            return web.Response(status=404, text=f"no command {command!r}; there are {', '.join(self._commands)}")
        try:
            return web.json_response(self._commands[command](request))
        except ValueError as error:
            return web.Response(status=400, text=str(error))

    def _now(self) -> str:
        return self._device.camera_time().strftime(_SECOND)

    def _live_sum(self, _request: web.Request) -> dict[str, Any]:
        counter = self._device.counter
        return {
            "serial": counter.serial,
            "name": self._device.name,
            "timestamp": self._now(),
            "in": counter.total.people_in,
            "out": counter.total.people_out,
        }

    def _live_occupancy(self, request: web.Request) -> dict[str, Any]:
        return {**self._live_sum(request), "occupancy": self._device.counter.occupancy}

    def _list_days(self, _request: web.Request) -> dict[str, Any]:
        return {"timestamp": self._now(), "days": [day.strftime(_DAY) for day in self._device.counter.days()]}

    def _export(self, request: web.Request) -> dict[str, Any]:
        resolution = request.query.get("res", "15m")
        if resolution not in _WIDTHS_MINUTES:
            raise ValueError(f"res={resolution}: expected one of {', '.join(_WIDTHS_MINUTES)}")
        counter, until = self._device.counter, self._device.camera_time()
        width = _WIDTHS_MINUTES[resolution]
        data: dict[str, list[int]] = {}
        for day in _days(request.query.get("date", "all"), counter.days()):
            for begin, counts in counter.binned(day, width, until).items():
                data[begin.strftime(_SECOND)] = [counts.people_in, counts.people_out]
        return {
            "counter": {
                "name": self._device.name,
                "serial": counter.serial,
                "delta": width * 60,
                "types": _TYPES,
            },
            "data": data,
        }

    def _parameters(self, _request: web.Request) -> dict[str, Any]:
        return {
            "Counter": {"Enabled": 1, "Name": self._device.name},
            "Build": {"Name": "people-counter", "Version": self._device.firmware},
            "Static": {
                "Manufacturer": "Axis",
                "ModelName": self._device.model,
                "Serial": self._device.counter.serial,
                "Errors": [],
            },
        }


def _days(text: str, known: list[date]) -> list[date]:
    """Days meant by ``date=``: ``all``, one day, ``first-last`` or a list with commas; those without data are left out."""
    if text == "all":
        return known
    if "-" in text:
        first, last = (_day(part) for part in text.split("-", 1))
        return [day for day in known if first <= day <= last]
    wanted = {_day(part) for part in text.split(",")}
    return [day for day in known if day in wanted]


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, _DAY).date()  # noqa: DTZ007  (a day of the camera's calendar has no zone)
    except ValueError as error:
        raise ValueError(f"date={text}: expected YYYYMMDD, YYYYMMDD-YYYYMMDD, YYYYMMDD,… or all") from error
