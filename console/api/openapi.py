"""The OpenAPI 3.1 document, made from the route table."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from console.api import problem
from console.api.endpoint import AnyEndpoint, Endpoint, Nothing, RawEndpoint
from console.api.problem import Problem, ProblemKind

_REF: Final = "#/components/schemas/"
_Key = tuple[type[Any], Literal["validation", "serialization"]]


def document(endpoints: Sequence[AnyEndpoint]) -> dict[str, Any]:
    """Describe every endpoint.

    Returns:
        The document as JSON values.
    """
    wanted: dict[_Key, None] = {(Problem, "serialization"): None}
    for endpoint in endpoints:
        wanted.update(dict.fromkeys(_models(endpoint)))
    references, definitions = models_json_schema(list(wanted), ref_template=_REF + "{model}")
    schemas: dict[str, Any] = definitions.get("$defs", {})
    writer = _Writer({(model, mode): value["$ref"] for (model, mode), value in references.items()}, schemas)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = writer.operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Branchwatch",
            "version": version("branchwatch"),
            "description": "Devices of branches, their faults and work orders. Times are milliseconds since 1970 UTC. "
            "Errors are problem details (RFC 9457) with a stable `code`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": {name: schemas[name] for name in sorted(schemas) if name not in writer.parameters}},
    }


def _models(endpoint: AnyEndpoint) -> list[_Key]:
    if isinstance(endpoint, RawEndpoint):
        return [] if endpoint.query is Nothing else [(endpoint.query, "validation")]
    inputs: list[_Key] = [(model, "validation") for model in endpoint.inputs if model is not Nothing]
    return [*inputs, (endpoint.answer, "serialization")]


class _Writer:
    """Writes operations; remembers which schemas were spelt out as parameters and so need no component."""

    def __init__(self, references: dict[_Key, str], schemas: dict[str, Any]) -> None:
        self._references = references
        self._schemas = schemas
        self.parameters: set[str] = set()

    def operation(self, endpoint: AnyEndpoint) -> dict[str, Any]:
        out: dict[str, Any] = {
            "operationId": endpoint.operation,
            "summary": endpoint.summary,
            "tags": [_tag(endpoint.path)],
        }
        if isinstance(endpoint, Endpoint):
            path, query, body = endpoint.inputs
            parameters = [*self._parameters("path", path), *self._parameters("query", query)]
            if body is not Nothing:
                content = {"application/json": {"schema": {"$ref": self._references[body, "validation"]}}}
                out["requestBody"] = {"required": True, "content": content}
            schema: dict[str, Any] = {"$ref": self._references[endpoint.answer, "serialization"]}
            content = {"application/json": {"schema": schema}}
        else:
            parameters = self._parameters("query", endpoint.query)
            text = not endpoint.media_type.endswith("json")
            content = {endpoint.media_type: {"schema": {"type": "string" if text else "object"}}}
        if parameters:
            out["parameters"] = parameters
        out["responses"] = {"200": {"description": "Done", "content": content}, **self._problems(endpoint)}
        return out

    def _parameters(self, where: str, model: type[BaseModel]) -> list[dict[str, Any]]:
        if model is Nothing:
            return []
        name = self._references[model, "validation"].removeprefix(_REF)
        self.parameters.add(name)
        schema = self._schemas[name]
        required = schema.get("required", ())
        return [
            _parameter(where, field, dict(described), required=where == "path" or field in required)
            for field, described in schema["properties"].items()
        ]

    def _problems(self, endpoint: AnyEndpoint) -> dict[str, Any]:
        kinds: list[ProblemKind] = [problem.FOREIGN_HOST, *endpoint.problems]
        if isinstance(endpoint, Endpoint):
            kinds += [problem.INVALID, problem.UNAVAILABLE]
            if endpoint.inputs[2] is not Nothing:
                kinds += [problem.NOT_JSON, problem.UNSUPPORTED_MEDIA, problem.TOO_LARGE, problem.FOREIGN_ORIGIN]
        elif endpoint.query is not Nothing:
            kinds.append(problem.INVALID)
        kinds.append(problem.INTERNAL)
        by_status: dict[int, list[ProblemKind]] = {}
        for kind in dict.fromkeys(kinds):
            by_status.setdefault(kind.status, []).append(kind)
        reference = self._references[Problem, "serialization"]
        return {
            str(status): {
                "description": "; ".join(f"`{kind.code}`: {kind.title}" for kind in same),
                "content": {problem.CONTENT_TYPE: {"schema": {"$ref": reference}}},
            }
            for status, same in sorted(by_status.items())
        }


def _parameter(where: str, name: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    description = schema.pop("description", "")
    schema.pop("title", None)
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:  # "or null" means "may be left out" for a parameter
        del schema["anyOf"]
        schema = {**choices[0], **schema}
    if schema.get("default", ...) is None:
        del schema["default"]
    out = {"name": name, "in": where, "required": required, "schema": schema}
    return {**out, "description": description} if description else out


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[2] if parts[:2] == ["api", "v1"] else "operation"
