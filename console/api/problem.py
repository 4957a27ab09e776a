"""Problem details: every error of the API in one form, with a stable code.

Source: RFC 9457. The ``code`` is API; titles and details are for people and may change.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from contracts.errors import BranchwatchError, DependencyUnavailable, DomainError, NotFound
from runtime.logs import get_logger

_log = get_logger(__name__)

CONTENT_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of refusal.

    Attributes:
        code: stable code.
        status: HTTP status.
        title: what it is, the same for every occurrence.
        next_step: what the caller can do.
    """

    code: str
    status: int
    title: str
    next_step: str


INVALID: Final = ProblemKind(
    "invalid_request", 422, "The request is not valid", "Correct the fields listed under errors and send it again."
)
NOT_JSON: Final = ProblemKind(
    "not_json", 400, "The body is not JSON", "Send one JSON object as described in /api/openapi.json."
)
UNSUPPORTED_MEDIA: Final = ProblemKind(
    "unsupported_media_type", 415, "The body's media type is not supported", "Set Content-Type: application/json."
)
TOO_LARGE: Final = ProblemKind("body_too_large", 413, "The body is too large", "Send at most 64 KiB.")
NO_ROUTE: Final = ProblemKind(
    "no_such_path", 404, "There is nothing at this path", "See /api/openapi.json for the paths there are."
)
NO_METHOD: Final = ProblemKind(
    "method_not_allowed", 405, "The path does not know this method", "Use a method that the Allow header lists."
)
NOT_FOUND: Final = ProblemKind(
    NotFound.code, 404, "The thing asked for does not exist", "Check the id; the list above it shows which there are."
)
CONFLICT: Final = ProblemKind(
    DomainError.code, 409, "The current state does not allow this", "Read it again and decide on its present state."
)
UNAVAILABLE: Final = ProblemKind(
    DependencyUnavailable.code,
    503,
    "Something the console stands on does not answer",
    "Try again in a few seconds; /readyz says what is down.",
)
TOO_MANY_LISTENERS: Final = ProblemKind(
    "too_many_listeners", 503, "All event streams are taken", "Close one, or raise console.max_listeners."
)
FOREIGN_HOST: Final = ProblemKind(
    "host_not_allowed", 403, "The Host header does not name this machine", "Use http://localhost or a loopback address."
)
FOREIGN_ORIGIN: Final = ProblemKind(
    "cross_origin",
    403,
    "Another site may not send commands",
    "Send commands from the console's own page, or no Origin.",
)
REFUSED: Final = ProblemKind("refused", 400, "The server refused the request", "See the detail.")
INTERNAL: Final = ProblemKind(
    BranchwatchError.code, 500, "The console failed", "Try again; if it happens again, look up this time in its log."
)


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    where: str = Field(description="query.limit, body.command, path.fault_id", examples=["query.limit"])
    expected: str = Field(examples=["Input should be less than or equal to 500"])
    got: str = Field(description="the value as it came, cut to 200 characters", examples=["9000"])


class Problem(BaseModel):
    """Problem details as RFC 9457 has them, with a stable code and the next step."""

    type: str = Field(examples=["urn:branchwatch:problem:not_found"])
    title: str
    status: int
    code: str = Field(description="stable, for programs", examples=["not_found"])
    detail: str = Field(description="what failed, for which id, what was expected against what came")
    instance: str = Field(description="path of the request")
    next_step: str
    errors: tuple[FieldProblem, ...] = ()


class RequestRefused(BranchwatchError):  # noqa: N818  (a refusal, not a failure)
    """The console itself refuses a request."""

    code: ClassVar[str] = "request_refused"

    def __init__(self, kind: ProblemKind, detail: str, errors: Sequence[FieldProblem] = ()) -> None:
        self.kind = kind
        self.detail = detail
        self.errors = tuple(errors)
        super().__init__(detail)


def invalid(where: str, error: ValidationError) -> list[FieldProblem]:
    """Name each problem of a validation; ``where`` is ``path``, ``query`` or ``body``."""
    return [
        FieldProblem(
            where=".".join((where, *(str(part) for part in problem["loc"]))),
            expected="no such field" if problem["type"] == "extra_forbidden" else problem["msg"],
            got="nothing" if problem["type"] == "missing" else _shown(problem["input"]),
        )
        for problem in error.errors(include_url=False)
    ]


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:200]


def answer(
    request: web.Request,
    kind: ProblemKind,
    detail: str,
    *,
    code: str = "",
    errors: Sequence[FieldProblem] = (),
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Write a problem as a response; ``code`` replaces the kind's where the error has one of its own."""
    problem = Problem(
        type=f"urn:branchwatch:problem:{code or kind.code}",
        title=kind.title,
        status=kind.status,
        code=code or kind.code,
        detail=detail,
        instance=request.rel_url.raw_path[:500],
        next_step=kind.next_step,
        errors=tuple(errors),
    )
    return web.Response(
        status=kind.status, body=problem.model_dump_json().encode(), content_type=CONTENT_TYPE, headers=headers
    )


def _from_http(request: web.Request, error: web.HTTPException) -> web.Response:
    path = request.rel_url.raw_path[:500]
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return answer(
            request, NO_METHOD, f"{request.method} {path}: expected one of {allowed}", headers={"Allow": allowed}
        )
    if isinstance(error, web.HTTPNotFound):
        return answer(request, NO_ROUTE, f"{request.method} {path}: no such path")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return answer(request, TOO_LARGE, f"{request.method} {path}: the body is larger than 64 KiB")
    kind = ProblemKind(REFUSED.code, error.status, error.reason, REFUSED.next_step)
    return answer(request, kind, f"{request.method} {path}: {error.reason}")


def from_error(request: web.Request, error: Exception) -> web.Response:
    """Turn any error of a handler into a problem; what was not foreseen is logged, its text stays inside."""
    if isinstance(error, RequestRefused):
        return answer(request, error.kind, error.detail, errors=error.errors)
    if isinstance(error, web.HTTPException):
        return _from_http(request, error)
    if isinstance(error, NotFound):
        return answer(request, NOT_FOUND, str(error), code=error.code)
    if isinstance(error, DomainError):
        return answer(request, CONFLICT, str(error), code=error.code)
    if isinstance(error, DependencyUnavailable):
        return answer(request, UNAVAILABLE, str(error), headers={"Retry-After": "5"})
    _log.error("request failed", method=request.method, path=request.path, exc_info=error)
    return answer(request, INTERNAL, f"{request.method} {request.rel_url.raw_path[:500]} failed")
