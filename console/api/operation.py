"""Endpoints for those who run the server: is it alive, is it ready, its metrics, its description."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from console.api import problem
from console.api.endpoint import AnyEndpoint, Call, Endpoint, Nothing, RawEndpoint
from contracts.errors import BranchwatchError
from runtime.metrics import CONTENT_TYPE, render

ReadinessCheck = Callable[[], Awaitable[None]]
"""Returns when the dependency answers; raises a Branchwatch error where it does not."""

_CHECK_TIMEOUT_S: Final = 2.0


class Alive(BaseModel):
    """The process answers."""

    status: str = "ok"


class Dependency(BaseModel):
    """One thing the process stands on."""

    name: str
    ready: bool
    detail: str = ""


class Readiness(BaseModel):
    """Whether everything the process stands on answers."""

    ready: bool
    dependencies: tuple[Dependency, ...]


class OperationHandlers:
    """What the endpoints do."""

    def __init__(self, checks: Mapping[str, ReadinessCheck], registry: CollectorRegistry) -> None:
        self._checks = dict(checks)
        self._registry = registry
        self.description: dict[str, Any] = {}

    async def alive(self, _call: Call[Nothing, Nothing, Nothing]) -> Alive:
        return Alive()

    async def ready(self, _request: web.Request, _query: Nothing) -> web.Response:
        answers = await asyncio.gather(*(self._check(name, check) for name, check in self._checks.items()))
        readiness = Readiness(ready=all(item.ready for item in answers), dependencies=tuple(answers))
        return web.Response(
            status=200 if readiness.ready else 503,
            body=readiness.model_dump_json().encode(),
            content_type="application/json",
        )

    async def metrics(self, _request: web.Request, _query: Nothing) -> web.Response:
        return web.Response(body=render(self._registry), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(self, _request: web.Request, _query: Nothing) -> web.Response:
        return web.Response(
            body=json.dumps(self.description, ensure_ascii=False).encode(), content_type="application/json"
        )

    @staticmethod
    async def _check(name: str, check: ReadinessCheck) -> Dependency:
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_S):
                await check()
        except TimeoutError:
            return Dependency(name=name, ready=False, detail=f"no answer within {_CHECK_TIMEOUT_S:g} s")
        except BranchwatchError as error:
            return Dependency(name=name, ready=False, detail=str(error))
        return Dependency(name=name, ready=True)


def endpoints(handlers: OperationHandlers) -> tuple[AnyEndpoint, ...]:
    """Rows of the route table."""
    return (
        Endpoint(
            "GET", "/healthz", "isAlive", "The process answers", (Nothing, Nothing, Nothing), Alive, handlers.alive,
        ),
        RawEndpoint(
            "/readyz", "isReady", "Which of the things it stands on answer; 503 where one does not", Nothing,
            "application/json", handlers.ready, (NOT_READY,),
        ),
        RawEndpoint("/metrics", "getMetrics", "Prometheus metrics", Nothing, "text/plain", handlers.metrics),
        RawEndpoint(
            "/api/openapi.json", "getOpenApi", "This description", Nothing, "application/json", handlers.openapi,
        ),
    )  # fmt: skip


NOT_READY: Final = problem.ProblemKind(
    "not_ready", 503, "A dependency does not answer; the body is as for 200", "See dependencies."
)
