"""Settings of the console: loopback, or an error that says why."""

import pytest

from console.settings import ConsoleSettings
from contracts.errors import ConfigurationError
from runtime.settings import ProcessSettings, load_settings


class ServerSettings(ProcessSettings):
    console: ConsoleSettings = ConsoleSettings()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_loopback_host_is_taken(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRANCHWATCH_CONSOLE__HOST", host)
    assert load_settings(ServerSettings, None).console.host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "branchwatch.example", ""])
def test_any_other_host_is_a_configuration_error_with_the_reason(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRANCHWATCH_CONSOLE__HOST", host)
    with pytest.raises(ConfigurationError, match=r"CONSOLE__HOST.*loopback.*no accounts yet"):
        load_settings(ServerSettings, None)
