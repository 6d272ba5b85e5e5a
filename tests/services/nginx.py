# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx on loopback, with and without TLS, that behaves and misbehaves as tests want."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .local import free_ports, program, running, wait_for_port

_CONFIGURATION = """
{user}
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  default_type text/plain;
  server {{
    listen 127.0.0.1:{http};
    listen 127.0.0.1:{tls} ssl;
    listen 127.0.0.1:{other} ssl;
    ssl_certificate {directory}/server.pem;
    ssl_certificate_key {directory}/server.key;
    root {directory}/www;
    location = /down {{ return 503 "out of order\\n"; }}
    location = /loop {{ return 302 /loop2; }}
    location = /loop2 {{ return 302 /loop; }}
    location = /there {{ return 301 /healthz; }}
    location = /secure {{ return 301 https://localhost:{tls}/healthz; }}
    location = /far {{ return 302 http://localhost:{http}/whoami; }}
    location = /whoami {{ return 200 "authorization=$http_authorization cookie=$http_cookie x=$http_x_key\\n"; }}
    location = /method {{ return 200 "$request_method $http_host\\n"; }}
    location = /private {{ auth_basic private; auth_basic_user_file {directory}/passwords; try_files /healthz =404; }}
    location = /header {{ add_header X-Version "1.2.3"; return 200 "ok\\n"; }}
    location /n/ {{ return 200 "ok\\n"; }}
  }}
  server {{
    listen 127.0.0.1:{mutual} ssl;
    ssl_certificate {directory}/server.pem;
    ssl_certificate_key {directory}/server.key;
    ssl_client_certificate {directory}/ca.pem;
    ssl_verify_client on;
    location / {{ return 200 "$ssl_client_s_dn\\n"; }}
  }}
  server {{
    listen 127.0.0.1:{expired} ssl;
    ssl_certificate {directory}/expired.pem;
    ssl_certificate_key {directory}/server.key;
    location / {{ return 200 "ok\\n"; }}
  }}
}}
"""


class Nginx(NamedTuple):
    """The ports of one server: plain, TLS, TLS with a client's certificate, TLS with an expired one; and its files."""

    directory: Path
    http: int
    tls: int
    mutual: int
    expired: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    @property
    def ca(self) -> str:
        return str(self.directory / "ca.pem")

    @property
    def www(self) -> Path:
        return self.directory / "www"


def make_certificates(directory: Path) -> None:
    """ca.pem, server.pem (for localhost and good.test, not for 127.0.0.1), client.pem, expired.pem; and their keys."""

    def openssl(*words: str) -> None:
        subprocess.run([program("openssl", "openssl"), *words], check=True, capture_output=True, cwd=directory)

    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    # What Python 3.13 asks of an authority.
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    openssl(
        "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "100", *usage
    )
    (directory / "names").write_text("subjectAltName=DNS:localhost,DNS:good.test\nauthorityKeyIdentifier=keyid\n")
    for name, subject in (("server", "/CN=localhost"), ("client", "/CN=a client")):
        openssl("req", *new_key, "-keyout", name + ".key", "-out", name + ".csr", "-subj", subject)
        openssl(
            *("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-out", name + ".pem", "-days", "50", "-extfile", "names"),
        )
    (directory / "index").write_text("")
    (directory / "ca.cnf").write_text(
        "[ca]\ndefault_ca=a\n[a]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\n"
        "copy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n"
    )
    openssl(
        *("ca", "-batch", "-config", "ca.cnf", "-in", "server.csr", "-out", "expired.pem", "-notext", "-rand_serial"),
        *("-cert", "ca.pem", "-keyfile", "ca.key", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z"),
        *("-extfile", "names"),
    )


@contextlib.contextmanager
def nginx(directory: Path) -> Iterator[Nginx]:
    """One that runs while the block does."""
    http, tls, other, mutual, expired = free_ports(5)
    make_certificates(directory)
    www = directory / "www"
    www.mkdir()
    (www / "healthz").write_text('{"status": "ok", "version": "1.0.0", "pools": {"a": 1}}')
    (www / "big").write_bytes(b"x" * (3 << 20))
    (directory / "passwords").write_text("bob:{PLAIN}geheim\n")
    configuration = directory / "nginx.conf"
    configuration.write_text(
        # Its workers would otherwise be nobody's, and could not read pytest's directories.
        _CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            directory=directory,
            http=http,
            tls=tls,
            other=other,
            mutual=mutual,
            expired=expired,
        )
    )
    command = [program("nginx", "nginx-light"), "-c", str(configuration), "-p", str(directory)]
    with running(command, directory) as process:
        wait_for_port(http, process)
        yield Nginx(directory, http, tls, mutual, expired)
