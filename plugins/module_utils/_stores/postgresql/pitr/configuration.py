# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of pgBackRest for one server: its text, and the file."""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional
from urllib.parse import urlsplit

from ...._core.errors import InvalidRequest, TargetError
from ...._core.files import os_errors, others_can_write, resolve, write_atomically
from ...._core.s3_options import ADDRESS as S3
from ...._core.s3_options import check as check_s3
from .stanza import CONFIGURATIONS, HEADER, Place

_SECRET = re.compile(r"(?m)^([^=\n]*(?:pass|secret|key|token)[^=\n]*)=.*$")
_SECRET_OPTION = re.compile(
    r"repo\d+-(?:azure-key|cipher-pass|s3-key|s3-key-secret|s3-token|sftp-private-key-passphrase)"
)
_SAFE_PATH = re.compile(r"/[A-Za-z0-9/._-]+")
_MODE = 0o640
# Of our options of S3; the others are those of uploads by ourselves.
_S3 = {"region", "endpoint_url", "access_key_id", "secret_access_key", "session_token", "ca_bundle", "addressing"}


class ConfigFile(NamedTuple):
    """The file as it is, and as it is to be."""

    path: str
    before: str  # "" if it does not exist
    after: str
    right: bool  # its owner and mode are those wanted
    user: pwd.struct_passwd

    @property
    def changed(self) -> bool:
        return self.before != self.after or not self.right

    def diff(self) -> dict[str, str]:
        """Without secrets."""
        name = self.path
        return {
            "before_header": name,
            "after_header": name,
            "before": without_secrets(self.before),
            "after": without_secrets(self.after),
        }

    def write(self) -> None:
        """Readable by the server and nobody else. Raises TargetError."""
        directory = os.path.dirname(self.path)
        with os_errors(TargetError, "Can't write", self.path):
            os.makedirs(directory, 0o755, exist_ok=True)
            if others_can_write(directory):
                raise TargetError(
                    f"Other users can write to {directory}.", "Change its owner to root and its mode to 0755."
                )
            # first for nobody else, so that the secrets in it are never readable by a wrong group
            write_atomically(self.path, self.after.encode())
            if os.geteuid() == 0:
                os.chown(self.path, 0, self.user.pw_gid)
            os.chmod(self.path, _MODE)


def plan_file(name: str, options: Mapping[str, Any], place: Place, user: pwd.struct_passwd) -> ConfigFile:
    """Raises InvalidRequest for options that contradict each other, TargetError for a file that others made."""
    path = resolve(options["config"] or os.path.join(CONFIGURATIONS, f"{name}.conf"), TargetError)
    if not _SAFE_PATH.fullmatch(path):
        raise InvalidRequest(f"config is {path}.", "Use letters, digits, dots, - and _ only: a shell reads it.")
    before, right = "", False
    info: Optional[os.stat_result] = None
    with os_errors(TargetError, "Can't read", path):
        if os.path.lexists(path):
            info = os.lstat(path)
            if not stat.S_ISREG(info.st_mode):
                raise TargetError(f"{path} is not a regular file.", "Find out who created it, and remove it.")
            with open(path, encoding="utf-8", errors="replace") as handle:
                before = handle.read()
    if before and not before.startswith(HEADER):
        raise TargetError(f"{path} was not created by this module.", "Set config to another file, or remove it.")
    if info is not None:
        root = os.geteuid() == 0
        owner = (0, user.pw_gid) if root else (info.st_uid, info.st_gid)
        right = (info.st_uid, info.st_gid) == owner and stat.S_IMODE(info.st_mode) == _MODE
    return ConfigFile(path, before, text_of(name, options, place), right, user)


def without_secrets(text: str) -> str:
    """The text with the values of secret options left out."""
    return _SECRET.sub(r"\1=…", text)


def text_of(name: str, options: Mapping[str, Any], place: Place) -> str:
    """The content of the file. Everything is in the section of the stanza, so that it applies to no other one."""
    values = {
        "pg1-path": place.data_directory,
        "pg1-port": place.port,
        "pg1-socket-path": place.socket_directory,
        "process-max": options["jobs"],
        "start-fast": "y",
        "compress-type": "zst",
        **_repository(options),
    }
    if options["encryption_key"]:
        values.update({"repo1-cipher-type": "aes-256-cbc", "repo1-cipher-pass": options["encryption_key"]})
    values["repo1-retention-full"] = options["keep_full"]
    if options["keep_diff"] is not None:
        values["repo1-retention-diff"] = options["keep_diff"]
    values.update({**_not_secret(options["settings"] or {}), **(options["secrets"] or {})})
    lines = []
    for key, value in sorted(values.items()):
        if not re.fullmatch(r"[a-z0-9-]+", key) or re.search(r"[\r\n\0]", str(value)):
            raise InvalidRequest(f"{key} can't be written to the configuration.", "Use one line for each setting.")
        lines.append(f"{key}={value}\n")
    return f"{HEADER}[{name}]\n{''.join(lines)}"


def _not_secret(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings. Raises InvalidRequest for those whose values would be in logs and results."""
    for key in settings:
        if _SECRET_OPTION.fullmatch(key):
            raise InvalidRequest(f"settings.{key} is a secret, which would be logged.", f"Set secrets.{key} instead.")
    return settings


def _repository(options: Mapping[str, Any]) -> dict[str, Any]:
    location = options["repository"]
    if location.startswith(S3):
        return _s3(location, options["s3"] or {})
    if options["s3"]:
        raise InvalidRequest("s3 is for repositories in S3.", "Set repository to s3://bucket/prefix, or omit s3.")
    if not location.startswith("/"):
        raise InvalidRequest(
            f"{location} can't be a repository of pgBackRest.",
            "Set it to a directory of the host or s3://bucket/prefix.",
        )
    return {"repo1-type": "posix", "repo1-path": os.path.normpath(location)}


def _s3(location: str, s3: Mapping[str, Any]) -> dict[str, Any]:
    bucket, _slash, prefix = location[len(S3) :].partition("/")
    if not bucket:
        raise InvalidRequest(f"{location} names no bucket.", "Set repository to s3://bucket/prefix.")
    check_s3(s3)
    foreign = sorted(name for name, value in s3.items() if value is not None and name not in _S3)
    if foreign:
        raise InvalidRequest(
            f"pgBackRest has no option for s3.{foreign[0]}.",
            "Omit it; the option settings sets any option of pgBackRest.",
        )
    region = s3.get("region") or "us-east-1"
    url = urlsplit(s3.get("endpoint_url") or f"https://s3.{region}.amazonaws.com")
    if url.scheme != "https" or not url.hostname:
        raise InvalidRequest(
            f"s3.endpoint_url is {s3.get('endpoint_url')}, but pgBackRest only uses TLS.", "Set it to https://HOST."
        )
    values = {
        "repo1-type": "s3",
        "repo1-path": "/" + prefix.strip("/"),
        "repo1-s3-bucket": bucket,
        "repo1-s3-region": region,
        "repo1-s3-endpoint": url.hostname,
        "repo1-s3-uri-style": "path" if s3.get("addressing") == "path" else "host",
        "repo1-s3-key-type": "shared" if s3.get("access_key_id") else "auto",
    }
    if url.port:
        values["repo1-storage-port"] = str(url.port)
    named = {
        "access_key_id": "repo1-s3-key",
        "secret_access_key": "repo1-s3-key-secret",
        "session_token": "repo1-s3-token",
        "ca_bundle": "repo1-storage-ca-file",
    }
    return {**values, **{key: s3[name] for name, key in named.items() if s3.get(name)}}
