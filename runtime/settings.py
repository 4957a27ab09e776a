"""Settings: one YAML file a process plus environment variables ``BRANCHWATCH_…``, with errors an operator can act on."""

import os
import re
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from contracts.errors import ConfigurationError
from runtime.host_name import Host
from runtime.wording import wording

ENV_PREFIX: Final = "BRANCHWATCH_"

_SECRET = re.compile(r"password|secret|token|community|key_ascii|key_hex|url$")
"""Keys whose values do not belong into a log; a database URL holds a password."""


_NAMED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A secret that stands in the environment."""

_USER_OF_URL = re.compile(r"//[^/@\s]*@")


class Section(BaseModel):
    """A part of a settings file; unknown keys are errors, because a misspelt key is a lost setting.

    A secret, which is a field of type ``SecretStr``, may be given as ``${NAME}``: it is then taken from that environment
    variable.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _secret_from_the_environment(cls, value: Any, info: ValidationInfo) -> Any:
        is_named = isinstance(value, str) and value.startswith("${") and value.endswith("}")
        return _of_environment(value) if is_named and is_secret(cls.model_fields[info.field_name or ""]) else value


def is_secret(field: FieldInfo) -> bool:
    """Whether a field's value is never shown, and may come from an environment variable of any name."""
    return SecretStr in {field.annotation, *get_args(field.annotation)}


def _of_environment(value: str) -> str:
    named = _NAMED.fullmatch(value)
    if named is None:
        raise ValueError("expected ${NAME} with the name of an environment variable: letters, digits and _")
    secret = os.environ.get(named[1], "")
    if not secret:
        raise ValueError(f"environment variable {named[1]} is not set, or empty; set it where this process is started")
    return secret


class BrokerSettings(Section):
    """The MQTT broker."""

    host: Host = Field(default="127.0.0.1", description="name or address of the broker")
    port: int = Field(default=1883, ge=1, le=65535, description="its MQTT port")
    username: str | None = Field(default=None, description="user at the broker")
    password: SecretStr | None = Field(default=None, description="that user's password")
    tls_ca: Path | None = Field(default=None, description="certificate authority file; switches TLS on")


class ServerBrokerSettings(BrokerSettings):
    """The MQTT broker, which the server can bring along."""

    embedded: bool = Field(default=True, description="start nats-server in this process; false: use an outside broker")


class OpsDatabaseSettings(Section):
    """The SQL database of faults, work orders and the event log."""

    url: str = Field(
        default="",
        description="SQLAlchemy URL, e.g. postgresql+asyncpg://user:password@host/name; empty: SQLite in data_dir",
    )


class LogSettings(Section):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="least level to log")
    format: Literal["console", "json"] = Field(default="console", description="for a person, or for a log store")


class ProcessSettings(BaseSettings):
    """What every process has. Environment variables win over the file: ``BRANCHWATCH_BROKER__PORT=1884``."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Field(default=Path("data"), description="where this process keeps its files")
    broker: BrokerSettings = BrokerSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (the signature is pydantic-settings')
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


SettingsT = TypeVar("SettingsT", bound=ProcessSettings)


def load_settings(model: type[SettingsT], path: Path | None) -> SettingsT:
    """Read a process's settings.

    Args:
        model: which settings.
        path: YAML file, ``None`` for defaults and environment alone.

    Raises:
        ConfigurationError: the file cannot be read or a value is not allowed; every problem with its file, key, value and
            what is allowed.
    """
    content = _read_yaml(path) if path is not None else {}
    _refuse_unknown_variables(model)
    try:
        return model(**content)
    except ValidationError as error:
        raise ConfigurationError(describe(error, str(path) if path else "environment")) from error


def _refuse_unknown_variables(model: type[SettingsT]) -> None:
    for name in os.environ:
        key = name.removeprefix(ENV_PREFIX).partition("__")[0].lower()
        if name.startswith(ENV_PREFIX) and key not in model.model_fields:
            known = ", ".join(f"{ENV_PREFIX}{field.upper()}" for field in model.model_fields)
            raise ConfigurationError(
                f"environment: {name}: unknown; those known begin with {known}; two underscores go down"
            )


class _TwiceError(yaml.constructor.ConstructorError):
    """A key stands twice."""


class _OnceLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping: one of the two would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise _TwiceError(None, None, f"key {key!r} stands twice; keep one of them", node.start_mark)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_OnceLoader)  # noqa: S506  (a SafeLoader)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read: {error.strerror}; give the path of a settings file"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not YAML: not UTF-8 at byte {error.start}") from None
    except yaml.YAMLError as error:  # its own text quotes the file, and so perhaps a password
        raise ConfigurationError(f"{path}: not YAML: {_mistake(error)}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigurationError(f"{path}: expected keys with values at the top, got {type(content).__name__}")
    return content


def _mistake(error: yaml.YAMLError) -> str:
    """What is wrong where, without a word of the file."""
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    if isinstance(error, yaml.composer.ComposerError | yaml.constructor.ConstructorError) and not isinstance(
        error, _TwiceError
    ):
        return f"{where}a value that begins with *, & or ! has to stand in quotes"
    return f"{where}{getattr(error, 'problem', None) or 'a character that YAML does not allow'}"


def _shown(key: str, value: Any) -> str:
    """A value for an error message; a secret is never shown, whatever is wrong with it."""
    return "(not shown)" if _SECRET.search(key) else f"{_USER_OF_URL.sub('//(not shown)@', repr(value)):.200}"


def describe(error: ValidationError, source: str) -> str:
    """Write each problem of a validation as one line: where, key, value, what is allowed."""
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        variable = ENV_PREFIX + key.replace(".", "__").upper()
        where = f"environment: {variable}" if variable in os.environ else f"{source}: {key}" if key else source
        value = problem["input"]  # of a whole part of the file nothing is shown: a secret may be in it
        is_shown = problem["type"] != "missing" and isinstance(value, str | int | float | None)
        shown = f" = {_shown(key, value)}" if is_shown else ""
        lines.append(f"{where}{shown}: {wording(problem)}")
    return "\n".join(lines)
