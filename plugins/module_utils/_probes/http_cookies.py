# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cookies that a redirect sets, for the requests that follow it, by the rules of the standard library."""

from __future__ import annotations

from typing import Any


class Cookies:
    """The cookies of one check. The library takes long to import, and is only imported when a cookie is set."""

    def __init__(self) -> None:
        self._jar: Any = None

    def keep(self, url: str, headers: Any) -> None:
        """Store the cookies of a response from that URL."""
        if headers.get("Set-Cookie") is None:
            return
        from http.cookiejar import CookieJar
        from urllib.request import Request

        if self._jar is None:
            self._jar = CookieJar()
        self._jar.extract_cookies(_Info(headers), Request(url))  # noqa: S310 nothing is opened

    def header(self, url: str) -> str:
        """The value of the header for a request to that URL, or "" if there are no cookies."""
        if self._jar is None:
            return ""
        from urllib.request import Request

        request = Request(url)  # noqa: S310 nothing is opened
        self._jar.add_cookie_header(request)
        return str(request.get_header("Cookie") or "")


class _Info:
    def __init__(self, headers: Any) -> None:
        self._headers = headers

    def info(self) -> Any:
        return self._headers
