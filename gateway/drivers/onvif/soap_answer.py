"""Whether an answer is fit to be read: bounded, well-formed, without tricks. Pure.

The library that reads answers takes any size and depth, and the XML parser under it keeps every name it ever saw for the
life of the process. So an answer first passes here, through a parser that forgets.
"""

import re
from typing import Final
from xml.parsers import expat

from contracts.errors import DeviceMisbehaved

ELEMENTS_MOST: Final = 8000
"""A hundred notifications are about 1500 elements, the profiles of a large camera 3000."""

DEPTH_MOST: Final = 64
NAMES_MOST: Final = 3000
"""Different element, attribute and prefix names of one camera over its life; a talkative one has about 400."""

_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_PREFIX: Final = re.compile("xmlns:?")


class UnfitAnswer(DeviceMisbehaved):
    """The camera's answer cannot be read; ``sample`` holds its beginning."""

    def __init__(self, message: str, sample: bytes) -> None:
        self.sample = sample[:4096]
        super().__init__(message)


class AnswerGate:
    """Lets the sound answers of one camera through.

    Args:
        most_bytes: longest answer.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._names: set[str] = set()
        self.passed = b""
        """The answer last let through, for a report on what could not be read in it."""

    def pass_through(self, body: bytes, operation: str) -> bytes:
        """Return the answer, with characters mended that have no place in XML.

        Args:
            body: the answer.
            operation: what was asked: ``GetProfiles``.

        Raises:
            UnfitAnswer: it is too long, too deep, no XML, no SOAP answer to that, or brings names without end.
        """
        if len(body) > self._most_bytes:
            raise UnfitAnswer(f"answer of {len(body)} bytes, expected at most {self._most_bytes}", body)
        try:
            self._look(body, operation)
            self.passed = body
        except expat.ExpatError:
            self.passed = self._mended(body, operation)
        except (ValueError, LookupError):  # an encoding nobody knows
            raise UnfitAnswer("answer in an unknown encoding, expected UTF-8", body) from None
        return self.passed

    def _mended(self, body: bytes, operation: str) -> bytes:
        mended = _NO_XML.sub("\ufffd", body.decode("utf-8", errors="replace")).encode()
        try:
            if mended != body:
                self._look(mended, operation)
                return mended
        except (expat.ExpatError, ValueError, LookupError):
            pass
        raise UnfitAnswer("answer is no well-formed XML", body)

    def _look(self, body: bytes, operation: str) -> None:
        look = _Look(body)
        look.parse()
        if look.content not in {f"{operation}Response", "Fault"}:
            raise UnfitAnswer(f"answer with <{look.content[:80]}>, expected <{operation}Response>", body)
        fresh = look.names - self._names
        if len(self._names) + len(fresh) > NAMES_MOST:
            raise UnfitAnswer(f"more than {NAMES_MOST} different names in the answers of one camera", body)
        self._names |= fresh


class _Look:
    """One parse that keeps figures and no content."""

    def __init__(self, body: bytes) -> None:
        self.names: set[str] = set()
        self.content = ""
        """Local name of what the body holds."""
        self._in_body = False
        self._body = body
        self._elements = 0
        self._depth = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.ProcessingInstructionHandler = self._refuse_instruction

    def parse(self) -> None:
        try:
            self._parser.Parse(self._body, True)
        finally:
            # The handlers hold this object and this object holds the parser.
            self._parser.StartElementHandler = None
            self._parser.EndElementHandler = None
            self._parser.StartDoctypeDeclHandler = None
            self._parser.ProcessingInstructionHandler = None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        self._depth += 1
        local = name.rpartition(":")[2]
        if self._depth == 2:
            self._in_body = local == "Body"
        elif self._depth == 3 and self._in_body and not self.content:
            self.content = local
        if self._elements == 1 and local != "Envelope":
            raise UnfitAnswer(f"answer begins with <{name[:80]}>, expected a SOAP Envelope", self._body)
        if self._elements > ELEMENTS_MOST:
            raise UnfitAnswer(f"answer of more than {ELEMENTS_MOST} elements", self._body)
        if self._depth > DEPTH_MOST:
            raise UnfitAnswer(f"answer of more than {DEPTH_MOST} levels", self._body)
        self.names.add(name)
        for attribute, value in attributes.items():
            self.names.add(attribute)
            if _PREFIX.match(attribute):
                self.names.add(value)
        if len(self.names) > NAMES_MOST:
            raise UnfitAnswer(f"answer of more than {NAMES_MOST} different names", self._body)

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _refuse_doctype(self, *_: object) -> None:
        raise UnfitAnswer("answer with a document type, which SOAP forbids", self._body)

    def _refuse_instruction(self, *_: object) -> None:
        raise UnfitAnswer("answer with a processing instruction, which SOAP forbids", self._body)
