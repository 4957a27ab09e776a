"""The way to an InfluxDB server: how to show who we are, and what its refusals mean to an operator."""

import base64
import ssl
from typing import Final

from collector.settings import InfluxDbSettings
from contracts.errors import ConfigurationError, DependencyUnavailable

POLICIES: Final = ("readings", "minutes", "hours", "events")
"""Retention policies of the database; in InfluxDB 2 and 3 the second part of the buckets' names."""


class StoreRefused(DependencyUnavailable):
    """The server answers and says no; an operator has to see to it. The caller waits and tries again all the same."""


def bucket(settings: InfluxDbSettings, policy: str) -> str:
    """Name of a bucket: InfluxDB 1 reads it as database and retention policy."""
    return f"{settings.database}/{policy}"


def token(settings: InfluxDbSettings) -> str | None:
    """What shows the v2 write route who we are; InfluxDB 1 takes user and password for it."""
    if settings.token is not None:
        return settings.token.get_secret_value()
    if settings.username is not None and settings.password is not None:
        return f"{settings.username}:{settings.password.get_secret_value()}"
    return None


def headers(settings: InfluxDbSettings) -> dict[str, str]:
    """Headers of a question that show who asks."""
    secret = token(settings)
    if secret is None:
        return {}
    if settings.token is not None:
        return {"Authorization": f"Token {secret}"}
    return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}


def tls(settings: InfluxDbSettings) -> ssl.SSLContext | None:
    """How to check the server's certificate; ``None`` without TLS.

    Raises:
        ConfigurationError: the file of the authority cannot be used.
    """
    if not settings.url.startswith("https:"):
        return None
    try:
        return ssl.create_default_context(cafile=settings.tls_ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"collector.influxdb.tls_ca = {str(settings.tls_ca)!r}: {error}; expected a file of certificates in PEM"
        ) from error


def refusal(settings: InfluxDbSettings, what: str, status: int, text: str) -> DependencyUnavailable:
    """The error that an answer stands for.

    Args:
        settings: where to.
        what: what was asked, for the message.
        status: HTTP status.
        text: the answer, or the error in it.
    """
    said, where = " ".join(text.split())[:300], f"InfluxDB {settings.url}: {what}"
    if status in {401, 403}:
        secret = "token" if settings.token is not None else "username and collector.influxdb.password"
        return StoreRefused(
            f"{where}: refused with {status}: {said or 'no reason'}; check collector.influxdb.{secret} and their permissions"
        )
    if is_missing(status, text):
        return StoreRefused(
            f"{where}: {said}; make database {settings.database!r} and its retention policies with: branchwatch db upgrade"
        )
    if status in {400, 404} and "organization" in text.lower():
        return StoreRefused(f"{where}: {said}; check collector.influxdb.org")
    if status in {404, 405}:
        return StoreRefused(
            f"{where}: answered {status}: {said}; expected InfluxDB 1.8 or later at collector.influxdb.url, with the route"
            " /api/v2/write and InfluxQL at /query"
        )
    if status == 413:
        return StoreRefused(f"{where}: request too large: {said}; lower collector.influxdb.request_bytes")
    if status in {400, 422}:
        return StoreRefused(f"{where}: refused with {status}: {said}; nothing was committed, the intake waits")
    return DependencyUnavailable(f"{where}: answered {status}: {said}")


def is_missing(status: int, text: str) -> bool:
    """Whether an answer says that the database, one of its retention policies or a bucket is not there."""
    text = text.lower()
    return status in {200, 400, 404, 500} and (
        "database not found" in text
        or "retention policy not found" in text
        or ("bucket" in text and "not found" in text)
        or "no dbrp mapping found" in text
    )


def is_too_old(status: int, text: str) -> bool:
    """Whether a write was taken but for points that are past the retention of their bucket."""
    text = text.lower()
    return status in {400, 422} and "partial write" in text and "retention policy" in text and "field type" not in text


def reason(error: Exception) -> str:
    """What an error of the connection says, or which it is: some say nothing."""
    return str(error) or type(error).__name__
