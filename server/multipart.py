"""One file part of a `multipart/form-data` body (RFC 7578), streamed: what an HTML form sends."""

from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from server.problems import Problem, malformed

OVERHEAD_BYTES = 64 << 10
"""What a form may have beside the bytes of its part: boundaries, part headers, other small fields."""


class FilePart:
    """Finds the part called `name` in a body that is fed piece by piece.

    Raises:
        Problem: from the constructor, when the request is not a form (415) or its boundary is missing or too
            long (400).
    """

    def __init__(self, content_type: str, name: str) -> None:
        media_type, parameters = parse_options_header(content_type)
        if media_type != b"multipart/form-data":
            raise Problem("unsupported-media-type", "The body must be multipart/form-data.")
        if not (boundary := parameters.get(b"boundary")):
            raise malformed(boundary="is missing in Content-Type")
        self._name = name.encode()
        self._header, self._value = bytearray(), bytearray()
        self._wanted = False
        self._pieces: list[bytes] = []
        self._ended = False
        self.found = 0
        try:
            self._parser = self._new_parser(boundary)
        except FormParserError as exc:
            raise malformed(boundary="is too long") from exc

    def _new_parser(self, boundary: bytes) -> MultipartParser:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    async def pieces(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The bytes of the part, as they come.

        Raises:
            Problem: malformed-request, when the form is broken, or has no such part, or more than one.
        """
        async for data in body:
            self._feed(data)
            pieces, self._pieces = self._pieces, []
            for piece in pieces:
                yield piece
        if not self._ended:
            raise malformed(body="the form ends too early")
        if not self.found:
            raise malformed(**{self._name.decode(): "the form has no such part"})

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except MultipartParseError as exc:
            raise malformed(body="is not a well-formed multipart/form-data body") from exc
        if self.found > 1:
            raise malformed(**{self._name.decode(): "the form has more than one such part"})

    def _begin(self) -> None:
        self._wanted = False

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, parameters = parse_options_header(bytes(self._value))
            self._wanted = parameters.get(b"name") == self._name
            self.found += self._wanted
        self._header.clear()
        self._value.clear()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self._pieces.append(data[start:end])

    def _end(self) -> None:
        self._ended = True
