# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages by mail: SMTP with TLS and login."""

from __future__ import annotations

import base64
import contextlib
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Optional

from .._core.specs import masked
from .together import NotSent, PartlySent

PORTS = {"starttls": 587, "implicit": 465, "none": 25}
_ACCEPTED = 235
_FOR_GOOD = 500  # and above


def send_mail(settings: Mapping[str, Any], subject: str, text: str, password: Optional[str], timeout: float) -> None:
    """Send a mail. Raises NotSent, and PartlySent if some of the recipients are refused for good.

    :param settings: `host`, `port`, `tls` (starttls, which never falls back to plain text, implicit or none), `user`,
        `from`, `to`, `ca`.
    """
    message = EmailMessage()
    try:
        message["From"], message["To"] = settings["from"], ", ".join(settings["to"])
        message["Subject"] = " ".join(subject.split())
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=settings["from"].rpartition("@")[2].strip(" >") or None)
        message["Auto-Submitted"] = "auto-generated"  # no out-of-office replies
        message.set_content(text)
        _deliver(message, settings, password, timeout)
    except smtplib.SMTPRecipientsRefused as exc:
        raise NotSent(f"The server refuses the recipients {', '.join(sorted(exc.recipients))}.") from None
    except (OSError, smtplib.SMTPException, ValueError) as exc:
        words = (password or "", f"\0{settings.get('user')}\0{password}")
        secrets = {password or "", *(base64.b64encode(one.encode()).decode() for one in words)}
        raise NotSent(f"The mail was not sent: {type(exc).__name__}: {masked(str(exc), secrets)}.") from None


def _deliver(message: EmailMessage, settings: Mapping[str, Any], password: Optional[str], timeout: float) -> None:
    tls = settings["tls"]
    where = (settings["host"], settings.get("port") or PORTS[tls])
    context = ssl.create_default_context(cafile=settings.get("ca")) if tls != "none" else None
    server = (
        smtplib.SMTP_SSL(*where, timeout=timeout, context=context)
        if tls == "implicit"
        else smtplib.SMTP(*where, timeout=timeout)
    )
    try:
        if tls == "starttls":
            server.starttls(context=context)
        if password is not None:
            _log_in(server, settings["user"], password)
        refused = server.send_message(message)
        # The server has the mail. Its answer to this changes nothing, and it need not come.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.putcmd("QUIT")
    finally:
        server.close()
    if refused:
        # A refusal for good is not mended by sending again, which would reach the others twice; one for now is.
        kind = PartlySent if all(code >= _FOR_GOOD for code, _said in refused.values()) else NotSent
        raise kind(f"The server refuses the recipients {', '.join(sorted(refused))}.")


def _log_in(server: smtplib.SMTP, user: str, password: str) -> None:
    server.ehlo_or_helo_if_needed()
    if user.isascii() and password.isascii():
        server.login(user, password)
        return
    # smtplib encodes in ASCII before Python 3.13.
    words = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    code, said = server.docmd("AUTH", f"PLAIN {words}")
    if code != _ACCEPTED:
        raise smtplib.SMTPAuthenticationError(code, said)
