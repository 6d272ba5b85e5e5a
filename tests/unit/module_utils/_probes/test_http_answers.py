# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""http: what servers send beside the usual, and other ways to them."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time
import zlib
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from tests.services.local import free_ports
from tests.services.nginx import Nginx

Check = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[socket.socket], None]], int]
BR = b"\x0b\x02\x80healthy\x03"


@pytest.fixture
def ask(check: Check, serve: Serve) -> Check:
    """`ask(answer, option=…)`: what http finds when a server sends these bytes."""

    def call(answer: bytes, **options: Any) -> dict[str, Any]:
        def handler(connection: socket.socket) -> None:
            connection.recv(1 << 16)
            connection.sendall(answer)

        return check("http", url=f"http://127.0.0.1:{serve(handler)}/", **options)

    return call


def answer(body: bytes, *headers: str) -> bytes:
    head = "".join(one + "\r\n" for one in ("HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body)}"))
    return head.encode() + b"\r\n" + body


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(data) + encoder.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"an error")),
        ("x-gzip", gzip.compress(b"an ") + gzip.compress(b"error")),
        ("deflate", zlib.compress(b"an error")),
        ("deflate", raw_deflate(b"an error")),
        ("deflate, gzip", gzip.compress(zlib.compress(b"an error"))),
        ("identity", b"an error"),
    ],
    ids=["gzip", "x-gzip", "deflate", "raw deflate", "both", "identity"],  # a header of gzip holds the time
)
def test_compressed_bodies_are_decoded(ask: Check, encoding: str, body: bytes) -> None:
    said = answer(body, "Content-Encoding: " + encoding)
    result = ask(said, body_not_matches="error")
    assert (result["status"], result["message"]) == ("critical", "the body matches error")
    assert ask(said, body_matches="^an error$")["status"] == "ok"


def test_what_can_t_be_decoded_is_unknown_and_what_is_broken_critical(ask: Check) -> None:
    said = answer(BR, "Content-Encoding: br")
    result = ask(said, body_not_matches="error")
    assert (result["status"], result["message"]) == (
        "unknown",
        "the body has the unsupported encoding 'br'",
    )
    assert ask(said)["status"] == "ok"  # nobody asked for the body
    for broken in (gzip.compress(b"an error")[:-9], b"no gzip"):
        result = ask(answer(broken, "Content-Encoding: gzip"), body_not_matches="error")
        assert (result["status"], result["message"]) == ("critical", "the body is not valid gzip")


def test_a_small_body_that_becomes_large(ask: Check) -> None:
    bomb = gzip.compress(b"x" * (8 << 20))
    result = ask(answer(bomb, "Content-Encoding: gzip"), body_not_matches="y")
    assert result["status"] == "critical"
    assert "the body is larger than max_body" in result["message"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (["Content-Type: text/plain; charset=iso-8859-1"], "grün".encode("latin-1")),
        (["Content-Type: text/plain; charset=utf-16"], "grün".encode("utf-16")),
        (["Content-Type: text/plain"], "grün".encode("utf-8-sig")),
        (["Content-Type: text/plain; charset=ascii"], "grün".encode("utf-8-sig")),
        (["Content-Type: text/plain; charset=no-such"], "grün".encode()),
        (["Content-Type: text/plain; charset=rot13"], "grün".encode()),
        ([], "grün".encode()),
    ],
)
def test_charsets_and_byte_order_marks(ask: Check, headers: list[str], body: bytes) -> None:
    assert ask(answer(body, *headers), body_matches="^grün$")["status"] == "ok"


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_other_encodings(ask: Check, charset: str) -> None:
    body = '{"status": "grün"}'.encode(charset)
    assert ask(answer(body), json=[{"path": "status", "equals": "grün"}])["status"] == "ok"


def test_interim_answers_are_not_the_answer(ask: Check) -> None:
    hints = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\nX-Hint: yes\r\n\r\n"
    result = ask(hints + answer(b"fine"), body_matches="^fine$", response_headers_not_match={"X-Hint": "."})
    assert result["status"] == "ok", result["message"]


def test_all_of_the_headers(ask: Check) -> None:
    many = [f"X-{number}: {number}" for number in range(400)]
    said = answer(b"", *many, "Set-Cookie: a=1", "Set-Cookie: session=2; HttpOnly", "Server: evil/1.0")
    assert ask(said, response_headers={"X-399": "399", "set-cookie": "^session="})["status"] == "ok"
    result = ask(said, response_headers={"Set-Cookie": "^b="})
    assert "the header Set-Cookie is 'a=1, session=2; HttpOnly', which does not match ^b=" in result["message"]
    assert ask(said, response_headers_not_match={"Set-Cookie": "Domain=", "X-None": "."})["status"] == "ok"
    result = ask(said, response_headers_not_match={"Set-Cookie": "^session", "Server": "[0-9]"})
    assert "the header Set-Cookie is 'session=2; HttpOnly', which matches ^session" in result["message"]
    assert "the header Server is 'evil/1.0', which matches [0-9]" in result["message"]


@pytest.fixture
def pages(serve: Serve) -> Callable[..., str]:
    """`pages({path: headers})`: the URL of a server that answers 302, or 200 where there is no Location."""

    def start(found: dict[bytes, bytes]) -> str:
        def handler(connection: socket.socket) -> None:
            head = connection.recv(1 << 16)
            path = head.split(b" ")[1]
            cookie = next((line for line in head.splitlines() if line.lower().startswith(b"cookie:")), b"Cookie: none")
            headers = found.get(path, b"")
            if b"Location" in headers and b"seen=1" not in cookie:
                connection.sendall(b"HTTP/1.1 302 Found\r\n" + headers + b"Content-Length: 0\r\n\r\n")
            else:
                body = path + b" " + cookie
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        return f"http://127.0.0.1:{serve(handler)}"

    return start


@pytest.mark.parametrize(
    ("location", "path"),
    [(b"/a b", "/a%20b"), ("/grün?q=ü".encode(), "/gr%C3%BCn?q=%C3%BC"), (b"/a%20b", "/a%20b"), (b" /c ", "/c")],
)
def test_a_location_as_servers_write_it(check: Check, pages: Any, location: bytes, path: str) -> None:
    url = pages({b"/": b"Location: " + location + b"\r\n"})
    result = check("http", url=url + "/", body_matches="^" + path.replace("?", "[?]") + " ")
    assert result["status"] == "ok", result["message"]


def test_cookies_go_along_with_redirects(check: Check, pages: Any) -> None:
    url = pages({b"/login": b"Set-Cookie: a=b; Path=/\r\nSet-Cookie: elsewhere=1; Path=/x\r\nLocation: /home\r\n"})
    assert check("http", url=url + "/login", body_matches="^/home Cookie: a=b$")["status"] == "ok"
    given = {"Cookie": "mine=1; a=old"}
    result = check("http", url=url + "/login", headers=given, body_matches="^/home Cookie: mine=1; a=b$")
    assert result["status"] == "ok"


def test_a_redirect_to_itself_that_sets_a_cookie_is_no_loop(check: Check, pages: Any) -> None:
    url = pages({b"/": b"Set-Cookie: seen=1\r\nLocation: /\r\n", b"/loop": b"Set-Cookie: x=1\r\nLocation: /loop\r\n"})
    assert check("http", url=url + "/", body_matches="seen=1")["status"] == "ok"
    assert "redirect loop" in check("http", url=url + "/loop")["message"]


def test_cookies_of_one_host_are_no_other_s(check: Check, pages: Any) -> None:
    other = pages({}).replace("127.0.0.1", "localhost")
    url = pages({b"/": b"Set-Cookie: secret=1\r\nLocation: " + other.encode() + b"/there\r\n"})
    assert check("http", url=url + "/", body_matches="^/there Cookie: none$")["status"] == "ok"


def test_the_url_that_answered_in_the_end(check: Check, web: Nginx) -> None:
    good = check("http", url=web.url + "/there", final_url="/healthz$")
    assert good["status"] == "ok"
    result = check("http", url=web.url + "/there", final_url="^https:")
    assert result["status"] == "critical"
    assert f"it redirects to {web.url}/healthz, which does not match ^https:" in result["message"]


def test_over_a_unix_socket(check: Check, web: Nginx, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def forward() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listener.accept()
                    threading.Thread(target=relay, args=(connection, web.http), daemon=True).start()

        threading.Thread(target=forward, daemon=True).start()
        result = check("http", url="http://app.test/healthz", socket=str(path), body_matches="ok")
        assert result["status"] == "ok", result["message"]
        moved = check("http", url="http://app.test/there", socket=str(path), final_url="^http://app.test.*/healthz$")
        assert moved["status"] == "ok", moved["message"]
        listener.shutdown(socket.SHUT_RDWR)
    missing = check("http", url="http://app.test/", socket=str(tmp_path / "none"))
    assert missing["message"] == f"{tmp_path}/none: No such file or directory"


def relay(client: socket.socket, port: int) -> None:
    """Both ways, until one side ends."""
    server = socket.create_connection(("127.0.0.1", port))

    def copy(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = one.recv(65536)
                if not data:
                    break
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=copy, args=(client, server), daemon=True)
    thread.start()
    copy(server, client)
    thread.join(60)
    client.close()
    server.close()


@pytest.fixture
def proxy(serve: Serve) -> tuple[str, list[str]]:
    """A proxy's place, and the first lines that it was sent."""
    lines: list[str] = []

    def handler(connection: socket.socket) -> None:
        head = connection.recv(1 << 16).decode()
        lines.append(head.splitlines()[0])
        if "Proxy-Authorization: Basic Ym9iOmdlaGVpbQ==" not in head:
            connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        elif head.startswith("CONNECT "):
            connection.sendall(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n")
            relay(connection, int(lines[-1].split()[1].rpartition(":")[2]))
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")

    return f"bob:geheim@127.0.0.1:{serve(handler)}", lines


def test_through_a_proxy(check: Check, web: Nginx, proxy: tuple[str, list[str]]) -> None:
    place, lines = proxy
    result = check("http", url="http://no-such-host.invalid:81/a?b=c", proxy="http://" + place, body_matches="proxy")
    assert result["status"] == "ok", result["message"]
    url = f"https://localhost:{web.tls}/healthz"
    assert check("https", url=url, ca=web.ca, proxy="http://" + place, body_matches="ok")["status"] == "ok"
    assert lines == ["GET http://no-such-host.invalid:81/a?b=c HTTP/1.1", f"CONNECT localhost:{web.tls} HTTP/1.1"]
    result = check("https", url=url, ca=web.ca, proxy="http://" + place.replace("geheim", "wrong-word"))
    assert result["status"] == "critical"
    assert "refuses to connect to localhost" in result["message"]
    assert "407" in result["message"]
    assert "wrong-word" not in str(result)
    result = check("http", url="http://no-such-host.invalid/", proxy="http://" + place.replace("geheim", "wrong-word"))
    assert (result["status"], "wrong-word" in str(result)) == ("critical", False)
    assert result["message"].startswith(f"the proxy http://{place.partition('@')[2]}/ refuses: 407 "), result["message"]


def test_what_fails_at_the_proxy_names_the_proxy(check: Check, serve: Serve) -> None:
    (closed,) = free_ports(1)
    silent = serve(lambda connection: time.sleep(600))
    mute = serve(lambda connection: None)
    for scheme in ("http", "https"):
        for port, words in (
            (closed, f"the proxy 127.0.0.1:{closed}: "),
            (silent, f"the proxy http://127.0.0.1:{silent}"),
            (mute, f"the proxy http://127.0.0.1:{mute}"),
        ):
            # long enough to get there on a busy machine
            result = check(scheme, url=f"{scheme}://localhost:9/", proxy=f"http://127.0.0.1:{port}", timeout="2s")
            assert result["status"] == "critical"
            assert words in result["message"]


def test_addresses_of_one_family(check: Check, web: Nginx) -> None:
    url = f"http://localhost:{web.http}/healthz"
    assert check("http", url=url, family="ipv4")["status"] == "ok"
    result = check("http", url=url, family="ipv6")
    assert result["status"] == "critical"
    assert check("tcp", host="localhost", port=web.http, family="ipv4")["status"] == "ok"
    assert check("tcp", host="127.0.0.1", port=web.http, family="ipv6")["status"] == "critical"
    assert check("tls", host="127.0.0.1", port=web.tls, family="ipv6")["status"] == "critical"


@pytest.mark.parametrize(
    "options",
    [{"proxy": "https://x/"}, {"proxy": "socks5://x/"}, {"socket": "/s", "family": "ipv4"}, {"family": "ipv5"}],
)
def test_ways_that_make_no_sense(check: Check, options: dict[str, Any]) -> None:
    for kind in ("http", "load_test"):
        with pytest.raises(InvalidRequest):
            check(kind, url="http://127.0.0.1:1/", **options)
