# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tls: whether a certificate is trusted and valid for a name, and when it expires."""

from __future__ import annotations

import contextlib
import ssl
import time
import warnings
from collections.abc import Mapping
from typing import ClassVar

from .._core.units import plural
from .base import BELOW, UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed
from .certificates import sent_chain
from .sockets import FAMILY, Stream, address, connect, failure, handshake, tls_context, wrap_tls

# The text to send before TLS starts, and to wait for; the last line of each response ends the wait.
_STARTTLS = {
    "smtp": ((b"", b"220 "), (b"EHLO localhost\r\n", b"250 "), (b"STARTTLS\r\n", b"220 ")),
    "imap": ((b"", b"* OK"), (b"a STARTTLS\r\n", b"a OK")),
    "postgresql": ((b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"S"),),
}


# From the oldest on.
_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
_OURS = ("NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE")  # errors before anything is sent


class TlsProbe(BaseProbe):
    SUMMARY = (
        "Checks the certificates that a server sends: whether the first one is trusted and valid for the "
        "name, and the number of days until any of them expires."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "host": Option("text", "Name or address.", required=True),
        "port": Option("port", "Port.", 443),
        "family": FAMILY,
        "server_name": Option("text", "Name that the certificate must be valid for, if it differs from `host`."),
        "validate_certs": Option(
            "boolean",
            ("Whether the certificate must be trusted and valid for the name. If false, only the expiry is checked."),
            True,
        ),
        "ca": Option("path", "File with the certificates of trusted CAs. The default is that of the system."),
        "client_certificate": Option("path", "File with the client certificate (PEM)."),
        "client_key": Option(
            "path", ("File with the private key of the client certificate, if it is not in the same file.")
        ),
        "min_protocol": Option(
            "text",
            "Oldest version of TLS that the server may accept. The check tries an older version on a second "
            "connection, if OpenSSL on the host still supports one.",
            choices=("TLSv1.2", "TLSv1.3"),
        ),
        "key_type": Option(
            "list", "Types of the key of the certificate that are ok.", choices=("rsa", "ec", "ed25519", "ed448")
        ),
        "starttls": Option("text", "Protocol in which TLS is started.", choices=tuple(sorted(_STARTTLS))),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit(
            "days",
            ("Days until the certificate, or an intermediate certificate that the server sends, expires."),
            BELOW,
            21,
            7,
        ),
        Limit("count", "Length of the key of the certificate in bits, if it is an RSA key.", BELOW, name="key_bits"),
        Limit("s", "Time to connect and complete the handshake.", name="time"),
    )

    def run(self, deadline: Deadline) -> Finding:
        options = self.options
        context = tls_context(
            options["validate_certs"], options["ca"], options["client_certificate"], options["client_key"], chains=True
        )
        where = address(options["host"], options["port"])
        name = options["server_name"] or options["host"]
        connection = connect(options["host"], options["port"], deadline, options["family"])
        try:
            with contextlib.closing(connection):
                if options["starttls"]:
                    _start(Stream(connection, deadline), _STARTTLS[options["starttls"]], where, deadline)
                with contextlib.closing(wrap_tls(connection, context, name, deadline)) as secured:
                    chain = sent_chain(secured)
                    version = secured.version() or "TLS"
                    took = deadline.elapsed()
        except ssl.SSLCertVerificationError as exc:
            raise ProbeFailed(f"{where}: {_untrusted(exc, name)}") from None
        except OSError as exc:
            raise failure(where, exc) from None
        finding = self.finding()
        first = min(chain, key=lambda one: one.expires)
        days = (first.expires - time.time()) / 86400
        trusted = f"a trusted certificate for {name}" if options["validate_certs"] else "a certificate"
        finding.good = f"{where} has {trusted}, valid for {plural(int(days), 'day')} ({version})"
        whose = f"the certificate of {where}"
        if first != chain[0]:
            whose = f"the intermediate certificate {first.name or 'without a name'} that {where} sends"
        finding.measure(round(days, 3), what=f"the remaining validity of {whose}")
        finding.measure(took, "time", "the time of the handshake")
        if chain[0].key_bits:
            finding.measure(chain[0].key_bits, "key_bits", f"the length of the key of {where} in bits")
        if options["key_type"] and chain[0].key_type not in options["key_type"]:
            finding.problem(f"{where} has a key of type {chain[0].key_type}, not {' or '.join(options['key_type'])}")
        if options["min_protocol"]:
            self._older(version, where, deadline, finding)
        return finding

    def _older(self, version: str, where: str, deadline: Deadline, finding: Finding) -> None:
        """Whether the server accepts versions that are older than it may."""
        wanted = self.options["min_protocol"]
        names = list(_VERSIONS)
        older = version
        if version not in names or names.index(version) >= names.index(wanted):
            try:
                older = self._connect_older(names[names.index(wanted) - 1], where, deadline)
            except _NotTried as exc:
                finding.problem(f"whether {where} accepts TLS that is older than {wanted} is unknown: {exc}", UNKNOWN)
                return
        if older:
            finding.problem(f"{where} accepts {older}, which is older than {wanted}")

    def _connect_older(self, newest: str, where: str, deadline: Deadline) -> str:
        """The version that the server accepts if the client has none that is newer than this; "" if none."""
        options = self.options
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that such versions are deprecated
            context.options &= ~(ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1 | ssl.OP_NO_TLSv1_2)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = _VERSIONS[newest]
            with contextlib.suppress(ssl.SSLError):
                context.set_ciphers("ALL:@SECLEVEL=0")  # where the host would refuse them, too
        if options["client_certificate"]:  # a server that requires one would refuse any version without
            context.load_cert_chain(options["client_certificate"], options["client_key"])
        connection = connect(options["host"], options["port"], deadline, options["family"])
        with contextlib.closing(connection):
            if options["starttls"]:
                _start(Stream(connection, deadline), _STARTTLS[options["starttls"]], where, deadline)
            name = options["host"]
            with context.wrap_socket(connection, server_hostname=name, do_handshake_on_connect=False) as secured:
                try:
                    handshake(secured, deadline)
                    return secured.version() or newest
                except (ssl.SSLError, ConnectionError) as exc:
                    if isinstance(exc, ssl.SSLError) and exc.reason in _OURS:
                        raise _NotTried(f"OpenSSL of this host has no {newest}") from None
                    # a server that has chosen a cipher has accepted the version. It may require a client certificate
                    return newest if secured.cipher() else ""


class _NotTried(Exception):
    """This host cannot try it."""


def _untrusted(exc: ssl.SSLCertVerificationError, name: str) -> str:
    text = exc.verify_message.rstrip(".")
    if exc.verify_code == 10:  # X509_V_ERR_CERT_HAS_EXPIRED
        return "its certificate has expired: renew it"
    if exc.verify_code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH
        return f"its certificate is not for {name}: {text}"
    return f"its certificate is not trusted: {text}"


def _start(stream: Stream, dialogue: tuple[tuple[bytes, bytes], ...], where: str, deadline: Deadline) -> None:
    for words, answer in dialogue:
        deadline.doing = f"waiting for {where} to start TLS"
        if words:
            stream.sendall(words)
        heard = b""
        # Byte by byte, as data after the last line belongs to TLS.
        while not _answered(heard, answer):
            data = stream.receive(1)
            if not data or len(heard) > 8192:
                raise ProbeFailed(f"{where} does not start TLS")
            heard += data
        if not heard.splitlines()[-1].startswith(answer):
            raise ProbeFailed(f"{where} refuses to start TLS: {heard.decode('ascii', 'replace').strip()[:80]}")


def _answered(heard: bytes, answer: bytes) -> bool:
    if len(answer) == 1:
        return bool(heard)
    last = heard.splitlines()[-1] if heard.endswith(b"\n") else b""
    # "250-" is continued, "250 " is the last line; untagged lines of IMAP are continued.
    return bool(last) and last[3:4] != b"-" and not (answer.startswith(b"a ") and last.startswith(b"*"))
