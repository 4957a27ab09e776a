"""The page of all settings, written from the settings' own models."""

import json
from collections.abc import Iterator
from typing import Any, Final, Literal, get_args, get_origin

from annotated_types import BaseMetadata, Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from branchwatch.server import ServerSettings
from gateway.drivers.registry import DRIVERS
from gateway.reporting import ReportingSettings
from gateway.settings import DeviceSettings, GatewaySettings
from rules.overrides import Override
from runtime.settings import is_secret

_HEAD: Final = """\
# Settings

One YAML file a process; environment variables win over it: `BRANCHWATCH_CONSOLE__PORT=8081` is `console.port`. Two
underscores go one level down. An error names the file, the key, the value and what is allowed, and the process does not
start.

A value that is a **secret** may be given as `${NAME}`, whole and in quotes: it is then read from the environment variable NAME when
the process starts. That works at any depth, for each device; choose names that do not begin with `BRANCHWATCH_`.

Written from the code by `python -m branchwatch.documents`; a test holds the two together.
"""

_BOUNDS: Final = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}


def page() -> str:
    """The whole page."""
    parts = [
        _HEAD,
        _section("Server", "`branchwatch server --settings FILE`. Every key has a default.", ServerSettings),
        _section("Gateway", "`branchwatch gateway FILE`. `branch_id` has to be given.", GatewaySettings),
        _section("A device", "Items of `devices` in a gateway's file.", DeviceSettings),
    ]
    parts.append(_section("Rule overrides", "Values of `rules.overrides`, by rule id.", Override))
    parts.append(_section("Reporting", "Values of `reporting`, by signal path.", ReportingSettings))
    for name, driver in DRIVERS.items():
        kinds = ", ".join(f"`{kind}`" for kind in sorted(driver.kinds))
        parts.append(_section(f"Connection: {name}", f"`connection` of a device of kind {kinds}.", driver.settings))
    return "\n".join(parts)


def _section(title: str, text: str, model: type[BaseModel]) -> str:
    rows = "\n".join(_rows(model, ""))
    return f"## {title}\n\n{text}\n\n| key | default | what |\n| --- | --- | --- |\n{rows}\n"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = _model_of(field)
        if inner is not None:
            yield from _rows(inner, f"{prefix}{name}.")
        else:
            yield f"| `{prefix}{name}` | {_default(name, field)} | {_meaning(field)} |"


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    """Model of a section that has keys of its own; not of lists or maps, nor of what may stand for several models."""
    candidates = [field.annotation, *(get_args(field.annotation) if field.default is None else ())]
    found = next((item for item in candidates if isinstance(item, type) and issubclass(item, BaseModel)), None)
    return found if found is not None and found.model_fields else None


def _default(name: str, field: FieldInfo) -> str:
    if field.is_required() or name == "driver":  # the driver chooses which keys there are
        return "**required**"
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined or value in (None, "", (), {}):
        return "none"
    return f"`{json.dumps(to_jsonable_python(value), ensure_ascii=False)}`"


def _meaning(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(item, attribute):g}"
        for item in field.metadata
        if isinstance(item, BaseMetadata)
        for kind, (sign, attribute) in _BOUNDS.items()
        if isinstance(item, kind)
    ]
    words = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    if len(words) > 1:
        bounds.append(f"one of {', '.join(map(str, words))}")
    if is_secret(field):
        bounds.append("secret")
    text = (field.description or "").replace("|", "\\|").replace("``", "`").strip()
    return " ".join(part for part in (text, f"({', '.join(bounds)})" if bounds else "") if part)
