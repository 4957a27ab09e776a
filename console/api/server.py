"""The web application: routes, one guard around all of them, headers on every response."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry, Counter, Histogram

from console.api import page
from console.api.endpoint import MAX_BODY_BYTES, AnyEndpoint, register
from console.api.origin import refuse_foreigners
from console.api.problem import from_error
from runtime.metrics import LATENCY_BUCKETS_S

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build(endpoints: Sequence[AnyEndpoint], registry: CollectorRegistry) -> web.Application:
    """Put the application together from the rows of the route table."""
    app = web.Application(middlewares=[_guard(registry)], client_max_size=MAX_BODY_BYTES)
    register(app, tuple(endpoints))
    page.add_page(app)
    app.on_response_prepare.append(_set_headers)
    return app


def _guard(registry: CollectorRegistry) -> Middleware:
    requests = Counter("branchwatch_http_requests", "HTTP requests", ["method", "route", "status"], registry=registry)
    seconds = Histogram(
        "branchwatch_http_request_seconds",
        "Time to answer a request; an event stream counts when it ends",
        ["route"],
        buckets=LATENCY_BUCKETS_S,
        registry=registry,
    )

    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        began = perf_counter()
        resource = request.match_info.route.resource
        route = "none" if resource is None else resource.canonical
        response: web.StreamResponse
        try:
            refuse_foreigners(request)
            response = await handler(request)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  (the one place that turns any error into problem details)
            response = from_error(request, error)
        method = request.method if request.method in {"GET", "HEAD", "POST"} else "other"
        requests.labels(method, route, str(response.status)).inc()
        seconds.labels(route).observe(perf_counter() - began)
        return response

    return guard


async def _set_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(page.SECURITY_HEADERS)
    if request.path.startswith("/api/") and "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
