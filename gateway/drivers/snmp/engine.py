"""The SNMP engine of one driver: its socket, its security, and one question at a time to each agent.

pysnmp encodes, signs, encrypts and decodes; what reaches it goes through the :class:`~gateway.drivers.snmp.gate.Gate`.
This module alone knows pysnmp, so that a gateway without SNMP devices does not load it.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from pyasn1.type import univ  # type: ignore[import-untyped]
from pysnmp.carrier.asyncio.dgram import udp  # type: ignore[import-untyped]
from pysnmp.entity import config  # type: ignore[import-untyped]
from pysnmp.entity.engine import SnmpEngine  # type: ignore[import-untyped]
from pysnmp.entity.rfc3413 import cmdgen  # type: ignore[import-untyped]
from pysnmp.error import PySnmpError  # type: ignore[import-untyped]
from pysnmp.proto import errind  # type: ignore[import-untyped]
from pysnmp.proto.rfc1902 import ObjectName  # type: ignore[import-untyped]

from contracts.errors import DeviceError, DeviceMisbehaved, DeviceRefused, DeviceUnreachable
from gateway.drivers.snmp.gate import Address, Gate
from gateway.drivers.snmp.settings import AgentSettings
from gateway.drivers.snmp.values import Value

Refuse = Callable[[bytes, DeviceError], None]

_RENEW_AFTER: Final = 200
"""Answers the engine could not use after which it is made anew: it keeps what it learnt of each engine id it was told."""

_AUTH: Final = {
    "sha": config.USM_AUTH_HMAC96_SHA,
    "sha224": config.USM_AUTH_HMAC128_SHA224,
    "sha256": config.USM_AUTH_HMAC192_SHA256,
    "sha384": config.USM_AUTH_HMAC256_SHA384,
    "sha512": config.USM_AUTH_HMAC384_SHA512,
}
_PRIVACY: Final = {
    "aes128": config.USM_PRIV_CFB128_AES,
    "aes192": config.USM_PRIV_CFB192_AES,
    "aes256": config.USM_PRIV_CFB256_AES,
}

_TIMED_OUT: Final = errind.RequestTimedOut
_MALFORMED: Final = (errind.DeserializationError, errind.DataMismatch, errind.EmptyResponse, errind.InvalidMsg)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as the agent gave it.

    Attributes:
        status: SNMP error status, 0 for none, RFC 3416 section 3.
        index: which of the OIDs asked for the status is about, from 1; 0 for none.
        bindings: OIDs and values in the agent's order; ``None`` where it has no such value.
    """

    status: int
    index: int
    bindings: tuple[tuple[str, Value | None], ...]


class _Transport(udp.UdpAsyncioTransport):  # type: ignore[misc]  # untyped base
    """A UDP socket that shows what it sends and receives to its owner."""

    def __init__(self, sent: Callable[[bytes, Address], None], received: Callable[[bytes, Address], None]) -> None:
        super().__init__()
        self._sent = sent
        self._received = received

    def send_message(self, outgoing: bytes, address: Address) -> None:
        self._sent(bytes(outgoing), (address[0], address[1]))
        super().send_message(outgoing, address)

    def datagram_received(self, datagram: bytes, address: Address) -> None:
        self._received(datagram, address)

    def hand_over(self, datagram: bytes, address: Address) -> None:
        """Let the engine take a datagram, now and not by a later callback."""
        if self._callback_function is not None:
            self._callback_function(self, udp.UdpTransportAddress(address), datagram)


class Engine:
    """Asks agents; use as a context manager. Questions to different agents may be open at the same time.

    Args:
        timeout_s: longest wait for one answer.
        refuse: takes datagrams that are no answer, or none that can be used.
    """

    def __init__(self, timeout_s: float, refuse: Refuse) -> None:
        self._timeout_s = timeout_s
        self._refuse = refuse
        self._gate = Gate()
        self._snmp: SnmpEngine | None = None
        self._transport: _Transport | None = None
        self._targets: set[str] = set()
        self._communities: dict[str, str] = {}
        self._questions = 0
        self._open_questions = 0
        self._sending_for = 0
        self._settled = 0
        self._unusable = 0

    async def __aenter__(self) -> Self:
        self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        await asyncio.sleep(0)  # lets the engine's timer end

    async def get(self, agent: AgentSettings, oids: Sequence[str]) -> Reply:
        """Ask for the values of some OIDs.

        Raises:
            DeviceUnreachable: no answer in time, or the agent's name is not known.
            DeviceRefused: the agent does not take the user's credentials.
            DeviceMisbehaved: the answer does not belong to the question.
        """
        return await self._ask(agent, cmdgen.GetCommandGenerator(), (), oids)

    async def get_bulk(self, agent: AgentSettings, oid: str, repetitions: int) -> Reply:
        """Ask for the next ``repetitions`` values after an OID; raises as :meth:`get`."""
        return await self._ask(agent, cmdgen.BulkCommandGeneratorSingleRun(), (0, repetitions), (oid,))

    # -- one question ------------------------------------------------------------------------------------------------

    async def _ask(self, agent: AgentSettings, generator: Any, options: tuple[int, ...], oids: Sequence[str]) -> Reply:
        where = f"{agent.address}:{agent.port}"
        if self._unusable >= _RENEW_AFTER and self._open_questions == 0:
            self._close()
            self._open()
        self._questions += 1
        question = self._questions
        self._open_questions += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                address = await _resolve(agent)
                self._sending_for = question
                return await self._exchange(agent, address, generator, options, oids)
        except TimeoutError as error:
            raise DeviceUnreachable(f"{where}: no answer within {self._timeout_s:g} s; {_causes(agent)}") from error
        except PySnmpError as error:  # its texts may hold keys, so they stay out of the message
            raise DeviceUnreachable(
                f"{where}: the question could not be sent ({type(error).__name__}); check the agent's settings"
            ) from error
        except OSError as error:
            raise DeviceUnreachable(f"{where}: {error.strerror or error}; check address and network") from error
        finally:
            self._open_questions -= 1
            self._gate.close(question)

    async def _exchange(
        self, agent: AgentSettings, address: Address, generator: Any, options: tuple[int, ...], oids: Sequence[str]
    ) -> Reply:
        answered: asyncio.Future[tuple[Any, Any, Any, Any]] = asyncio.get_running_loop().create_future()

        def settle(_engine: Any, _handle: Any, indication: Any, status: Any, index: Any, bindings: Any, _: Any) -> None:
            self._settled += 1
            if not answered.done():
                answered.set_result((indication, status, index, bindings))

        null = univ.Null("")
        generator.send_varbinds(
            self._snmp,
            self._target(agent, address),
            None,
            b"",
            *options,
            [(ObjectName(oid), null) for oid in oids],
            settle,
        )
        indication, status, index, bindings = await answered
        if indication:
            raise _error_of(indication, agent)
        return Reply(int(status), int(index), tuple((str(name), _value_of(value)) for name, value in bindings))

    def _sent(self, datagram: bytes, address: Address) -> None:
        self._settled += 1  # in version 3 a report is answered with the question again
        self._gate.sent(datagram, address, self._sending_for)

    def _received(self, datagram: bytes, address: Address) -> None:
        try:
            question = self._gate.admit(datagram, address)
        except DeviceMisbehaved as error:
            self._refuse(datagram, error)
            return
        if question is None:
            return
        settled = self._settled
        self._sending_for = question
        try:
            if self._transport is not None:
                self._transport.hand_over(datagram, address)
        except Exception as error:  # noqa: BLE001  (whatever a datagram makes the decoder raise is its sender's doing)
            self._refuse_unusable(datagram, address, f"cannot be decoded ({type(error).__name__})")
            return
        if settled == self._settled:
            self._refuse_unusable(datagram, address, "is malformed or not signed with the agreed secret")

    def _refuse_unusable(self, datagram: bytes, address: Address, reason: str) -> None:
        self._unusable += 1
        self._refuse(datagram, DeviceMisbehaved(f"{address[0]}:{address[1]}: the answer {reason}; look at the agent"))

    # -- the library's engine ----------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._snmp = SnmpEngine()
        self._transport = _Transport(self._sent, self._received)
        config.add_transport(self._snmp, udp.DOMAIN_NAME, self._transport.open_client_mode())
        self._targets.clear()
        self._communities.clear()
        self._unusable = 0

    def _close(self) -> None:
        if self._snmp is not None:
            self._snmp.close_dispatcher()
        self._snmp = self._transport = None

    def _target(self, agent: AgentSettings, address: Address) -> str:
        """Name of the library's entry for an agent at an address, made where it is new."""
        user = self._user(agent)
        name = f"{user}@{address[0]}:{address[1]}"
        if name not in self._targets:
            hundredths = round(100 * (self._timeout_s + 1))  # ours ends first; this one only tidies up
            config.add_target_address(self._snmp, name, udp.DOMAIN_NAME, address, user, hundredths, 0)
            self._targets.add(name)
        return name

    def _user(self, agent: AgentSettings) -> str:
        if agent.community is not None:
            community = agent.community.get_secret_value()
            if community not in self._communities:
                name = f"c{len(self._communities)}"
                config.add_v1_system(self._snmp, name, community)
                config.add_target_parameters(self._snmp, name, name, "noAuthNoPriv", 1)
                self._communities[community] = name
            return self._communities[community]
        if agent.username is None or agent.auth_password is None or agent.privacy_password is None:
            raise RuntimeError("settings without credentials passed their own check")
        name = f"u{agent.username}"
        if name not in self._targets:
            config.add_v3_user(
                self._snmp,
                agent.username,
                _AUTH[agent.auth_protocol],
                agent.auth_password.get_secret_value(),
                _PRIVACY[agent.privacy_protocol],
                agent.privacy_password.get_secret_value(),
            )
            config.add_target_parameters(self._snmp, name, agent.username, "authPriv", 3)
            self._targets.add(name)
        return name


async def _resolve(agent: AgentSettings) -> Address:
    with contextlib.suppress(ValueError):
        return str(ipaddress.IPv4Address(agent.address)), agent.port
    found = await asyncio.get_running_loop().getaddrinfo(
        agent.address, agent.port, family=socket.AF_INET, type=socket.SOCK_DGRAM
    )
    host, port = found[0][4][:2]
    return str(host), int(port)


def _causes(agent: AgentSettings) -> str:
    """What makes an agent silent, the likeliest first; of version 3 it answers a wrong user, too."""
    if agent.community is None:
        return "check address, UDP port and network, and whom the agent answers"
    return (
        "an agent says nothing to a wrong community: check the community first, then address, UDP port and network, and "
        "whom the agent answers"
    )


def _error_of(indication: object, agent: AgentSettings) -> DeviceError:
    where = f"{agent.address}:{agent.port}"
    if isinstance(indication, _TIMED_OUT):
        return DeviceUnreachable(f"{where}: no answer in time; {_causes(agent)}")
    if isinstance(indication, (str, *_MALFORMED)):
        return DeviceMisbehaved(f"{where}: {indication}; look at the agent")
    return DeviceRefused(f"{where}: {indication}; check the user, its protocols and passwords")


def _value_of(value: Any) -> Value | None:
    if isinstance(value, univ.Null):  # noSuchObject, noSuchInstance, endOfMibView; to the library they are octets, too
        return None
    if isinstance(value, univ.Integer):
        return int(value)
    if isinstance(value, univ.ObjectIdentifier):
        return str(value)
    return bytes(value) if isinstance(value, univ.OctetString) else None
