"""The route table: an endpoint says what it takes and gives, and parsing, validation and the OpenAPI document follow.

A row names its models once; its handler gets them parsed, so no handler reads a request by itself.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, get_origin

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from console.api import problem
from console.api.problem import ProblemKind, RequestRefused

MAX_BODY_BYTES: Final = 64 * 1024

_TWO_PART_ID: Final = "{branch_id}/{local_id}"


class Inputs(BaseModel):
    """Base of path, query and body models: an unknown name is an error, because a misspelt filter filters nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Inputs):
    """No parameters, or no body."""


PathT = TypeVar("PathT", bound=BaseModel)
QueryT = TypeVar("QueryT", bound=BaseModel)
BodyT = TypeVar("BodyT", bound=BaseModel)
AnswerT = TypeVar("AnswerT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call(Generic[PathT, QueryT, BodyT]):
    """One request, parsed and checked."""

    path: PathT
    query: QueryT
    body: BodyT


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[PathT, QueryT, BodyT, AnswerT]):
    """A row of the route table that takes and gives JSON.

    Attributes:
        method: GET or POST.
        path: path with ``{names}``; ``{branch_id}/{local_id}`` also accepts the two as one segment with ``%2F``.
        operation: name of the operation in the OpenAPI document, unique.
        summary: what it does, one line.
        inputs: models of path, query and body; ``Nothing`` where there is none.
        answer: model of the response.
        problems: how it can refuse, beyond what every endpoint can.
        handle: does it.
    """

    method: str
    path: str
    operation: str
    summary: str
    inputs: tuple[type[PathT], type[QueryT], type[BodyT]]
    answer: type[AnswerT]
    handle: Callable[[Call[PathT, QueryT, BodyT]], Awaitable[AnswerT]]
    problems: tuple[ProblemKind, ...] = ()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Parse, handle, answer.

        Raises:
            RequestRefused: the request does not fit the models.
        """
        path_model, query_model, body_model = self.inputs
        call = Call(
            _parse("path", path_model, _path_values(request)),
            _parse("query", query_model, _query_values(request, query_model)),
            await _parse_body(request, body_model),
        )
        result = await self.handle(call)
        return web.Response(body=result.model_dump_json().encode(), content_type="application/json", charset="utf-8")


@dataclass(frozen=True, slots=True)
class RawEndpoint(Generic[QueryT]):
    """A row that answers something other than one JSON object of one model: a stream, metrics, the document itself."""

    path: str
    operation: str
    summary: str
    query: type[QueryT]
    media_type: str
    handle: Callable[[web.Request, QueryT], Awaitable[web.StreamResponse]]
    problems: tuple[ProblemKind, ...] = ()
    method: str = "GET"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Parse the query and hand over."""
        return await self.handle(request, _parse("query", self.query, _query_values(request, self.query)))


AnyEndpoint = Endpoint[Any, Any, Any, Any] | RawEndpoint[Any]


def register(app: web.Application, endpoints: tuple[AnyEndpoint, ...]) -> None:
    """Add every row to the application's routes."""
    for endpoint in endpoints:  # first, or {branch_id} of a shorter path would take the encoded id for itself
        if _TWO_PART_ID in endpoint.path:
            encoded = endpoint.path.replace(_TWO_PART_ID, "{device_id:[^/]+%2[Ff][^/]+}")
            app.router.add_route(endpoint.method, encoded, endpoint.serve)
    for endpoint in endpoints:
        app.router.add_route(endpoint.method, endpoint.path, endpoint.serve)


def _path_values(request: web.Request) -> dict[str, str]:
    values = dict(request.match_info)
    joined = values.pop("device_id", None)
    if joined is not None:
        values["branch_id"], _, values["local_id"] = joined.replace("%2f", "/").partition("/")
    return values


def _query_values(request: web.Request, model: type[BaseModel]) -> dict[str, Any]:
    """Values by name: a list where the model wants several or where a name came twice, which the model then refuses."""
    lists = {field.alias or name for name, field in model.model_fields.items() if get_origin(field.annotation) is tuple}
    out: dict[str, Any] = {}
    for name in request.query:
        values = request.query.getall(name)
        out[name] = values if name in lists or len(values) > 1 else values[0]
    return out


ModelT = TypeVar("ModelT", bound=BaseModel)


def _parse(where: str, model: type[ModelT], values: Any) -> ModelT:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        errors = problem.invalid(where, error)
        raise RequestRefused(
            problem.INVALID,
            "; ".join(f"{item.where}: {item.expected}, got {item.got}" for item in errors[:5]),
            errors,
        ) from error


async def _parse_body(request: web.Request, model: type[ModelT]) -> ModelT:
    if model is Nothing:
        return model()
    if request.content_type != "application/json":
        got = request.headers.get("Content-Type", "none")
        raise RequestRefused(problem.UNSUPPORTED_MEDIA, f"Content-Type: expected application/json, got {got[:100]}")
    raw = await request.read()
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        if any(item["type"] == "json_invalid" for item in error.errors()):
            raise RequestRefused(problem.NOT_JSON, error.errors(include_url=False)[0]["msg"]) from error
        errors = problem.invalid("body", error)
        raise RequestRefused(
            problem.INVALID,
            "; ".join(f"{item.where}: {item.expected}, got {item.got}" for item in errors[:5]),
            errors,
        ) from error
