# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to servers of Redis (and Valkey): its protocol is simple enough not to require a library."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional, Union

from .errors import TargetError

Value = Union[None, int, bytes, "Failed", list["Value"]]
Word = Union[str, bytes, int]

_MOST = 512 << 20  # bytes of a text; the limit of Redis
_MOST_ELEMENTS = 1 << 20
_DEEPEST = 8  # lists in lists; the commands that are sent here have two
_NUMBER = re.compile(rb"-?[0-9]{1,19}")


class Failed(str):
    """The text of an error: what a command of several was answered."""


class NotRedis(Exception):
    """The answer is not of the protocol."""


def encode(*words: Word) -> bytes:
    """A command as it is sent."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def read_answer(reader: Any, most: int = _MOST, most_elements: int = _MOST_ELEMENTS, depth: int = _DEEPEST) -> Value:
    """The next answer.

    :param reader: a binary file.
    :param most: bytes of a text, and of a line.
    :param most_elements: of a list.
    :param depth: of lists in lists.
    :raises NotRedis: it is something else, too large, or cut.
    """
    line: bytes = reader.readline(min(most, 1 << 20))
    kind, rest = line[:1], line[1:-2]
    if not line.endswith(b"\r\n"):
        raise NotRedis
    if kind == b"+":
        return rest
    if kind == b"-":
        return Failed(rest.decode("utf-8", "replace"))
    if kind not in b":$*" or not _NUMBER.fullmatch(rest):
        raise NotRedis
    number = int(rest)
    if kind == b":":
        return number
    if number < 0:
        return None
    if kind == b"*" and number <= most_elements and depth:
        return [read_answer(reader, most, most_elements, depth - 1) for dummy in range(number)]
    data: bytes = reader.read(number + 2) if kind == b"$" and number <= most else b""
    if len(data) != number + 2:
        raise NotRedis
    return data[:-2]


def lines_of(text: bytes) -> dict[str, str]:
    """The fields of an answer such as that of INFO."""
    lines = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines() if not line.startswith("#"))
    return {name: value for name, colon, value in lines if colon}


class Address(NamedTuple):
    """Where a server is, and how it is reached."""

    host: str
    port: int
    unix_socket: Optional[str] = None
    tls: Optional[ssl.SSLContext] = None

    def __str__(self) -> str:
        return self.unix_socket or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")


class Redis:
    """A connection. Use it as a context manager.

    :param timeout: seconds for each answer.
    :raises TargetError: the server can't be reached, or lets nobody in with this user and password.
    """

    def __init__(self, where: Address, user: Sequence[str], timeout: float) -> None:
        self.where = where
        self._socket: Optional[socket.socket] = None
        try:
            self._socket = _connect(where, timeout)
            self._reader = self._socket.makefile("rb", 1 << 16)
            if user:
                self.ask("AUTH", *user)
        except OSError as exc:
            self.close()
            raise self._unreachable(exc) from exc
        except UnicodeError:  # a part of it is empty or too long
            raise TargetError(f"Redis at {where} can't be reached: the name is not valid.", "Check host.") from None
        except TargetError:
            self.close()
            raise

    def __enter__(self) -> Redis:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()

    def ask(self, *words: Word) -> Value:
        """The answer to a command. Raises TargetError when it is an error."""
        (answer,) = self.ask_all([words])
        if isinstance(answer, Failed):
            raise self.refusal(str(words[0]), answer)
        return answer

    def refusal(self, command: str, answer: Failed) -> TargetError:
        """The error of a command that was refused."""
        return TargetError(f"Redis at {self.where} answers to {command}: {answer}.", _hint(answer))

    def ask_all(self, commands: Iterable[Sequence[Word]]) -> list[Value]:
        """The answers to several commands, sent at once; errors are among them. Raises TargetError."""
        commands = list(commands)
        try:
            self._connection().sendall(b"".join(encode(*words) for words in commands))
            return [read_answer(self._reader) for dummy in commands]
        except OSError as exc:
            raise self._unreachable(exc) from exc
        except NotRedis:
            raise TargetError(
                f"{self.where} closed the connection, or is not a Redis server.", "Check host, port and tls."
            ) from None

    def _connection(self) -> socket.socket:
        if self._socket is None:
            raise OSError("it was closed")
        return self._socket

    def info(self) -> dict[str, str]:
        """The fields of INFO. Raises TargetError."""
        text = self.ask("INFO")
        return lines_of(text) if isinstance(text, bytes) else {}

    def _unreachable(self, exc: OSError) -> TargetError:
        return TargetError(
            f"Redis at {self.where} can't be reached: {exc.strerror or exc}.", "Check host, port and tls."
        )


def _connect(where: Address, timeout: float) -> socket.socket:
    if where.unix_socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        connection.connect(where.unix_socket)
        return connection
    connection = socket.create_connection((where.host, where.port), timeout)
    return where.tls.wrap_socket(connection, server_hostname=where.host) if where.tls else connection


def _hint(answer: str) -> str:
    if answer.startswith(("NOAUTH", "WRONGPASS", "ERR AUTH")):
        return "Check username and password."
    if answer.startswith("NOPERM") or "can't run this command" in answer:  # of a script
        return "Permit the command in the ACL of the user."
    if answer.startswith("MISCONF"):
        return "The server can't save its data. Look into its log, and free some space on its disk."
    if answer.startswith("NOREPLICAS"):
        return "Check the replicas of the server (min-replicas-to-write)."
    if answer.startswith("READONLY"):
        return "This server is a replica. Connect to its primary."
    return ""
