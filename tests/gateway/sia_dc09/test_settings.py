import pytest
from pydantic import ValidationError

from gateway.drivers.registry import parse_connection
from gateway.drivers.sia_dc09 import Settings, check_together


def settings(**chosen: object) -> Settings:
    return Settings.model_validate({"listen_port": 5093, "account": "1234", **chosen})


def refused(**chosen: object) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (its text is what the tests look at)
        parse_connection({"driver": "dc09", "listen_port": 5093, "account": "1234", **chosen})
    return str(caught.value)


def test_a_key_is_text_or_digits() -> None:
    assert settings().key is None
    assert settings(key_ascii="0123456789ABCDEF").key == b"0123456789ABCDEF"
    assert settings(key_hex="00" * 24).key == bytes(24)
    assert settings(key_hex="0a" * 32).key == b"\n" * 32


def test_plain_text_is_taken_without_a_key_and_otherwise_only_where_it_is_said() -> None:
    assert settings().takes_plain_text
    assert not settings(key_hex="00" * 16).takes_plain_text
    assert settings(key_hex="00" * 16, require_encryption=False).takes_plain_text


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"key_ascii": "MySecretSecret"}, "expected 16, 24 or 32 bytes for AES-128, -192 or -256, got 14"),
        ({"key_hex": "MySecretSecret"}, "expected hexadecimal digits only"),
        ({"key_ascii": "MySecretSecret00", "key_hex": "00" * 16}, "give one of them"),
        ({"key_ascii": ["MySecretSecret00"]}, "key_ascii"),
        ({"key_hex": 31415926535}, "key_hex"),
        ({"require_encryption": True}, "there is no key"),
        ({"account": "12"}, "account"),
        ({"account": "12G4"}, "account"),
        ({"transport": "serial"}, "'tcp', 'udp' or 'both'"),
    ],
)
def test_what_is_wrong_is_named_and_a_key_is_never_shown(chosen: dict[str, object], reason: str) -> None:
    said = refused(**chosen)
    assert reason in said
    assert "MySecret" not in said
    assert "31415926535" not in said


def test_a_key_is_not_printed() -> None:
    assert "0123456789ABCDEF" not in repr(settings(key_ascii="0123456789ABCDEF"))


def test_the_line_fails_after_the_factor_and_the_grace() -> None:
    assert settings().line_fail_s == 180
    assert settings(supervision_s=85, supervision_factor=1.5, supervision_grace_s=10).line_fail_s == 137.5


def test_panels_on_one_port_need_accounts_of_their_own() -> None:
    check_together([settings(), settings(account="1235"), settings(listen_port=5094), settings(transport="udp")])
    check_together([settings(), settings(listen_host="192.0.2.1")])
    for other in (
        settings(),
        settings(transport="both"),
        settings(listen_host="0.0.0.0"),
    ):
        with pytest.raises(ValueError, match="two alarm panels of account 1234 on port 5093"):
            check_together([settings(account="1235"), settings(), other])
    with pytest.raises(ValueError, match="account abcd"):
        check_together([settings(account="abcd"), settings(account="ABCD")])


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError):
        settings(key="0123456789ABCDEF")
