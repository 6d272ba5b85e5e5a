# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of checks by name. To add one: a file like tcp_probe.py, its test, and its lines here.

The code of a type is imported only for a check of that type, as a module is compiled anew for each task.
"""

from __future__ import annotations

from typing import Callable

from .base import Probe


def _backup() -> type[Probe]:
    from .backup_probe import BackupProbe

    return BackupProbe


def _command() -> type[Probe]:
    from .command_probe import CommandProbe

    return CommandProbe


def _container() -> type[Probe]:
    from .container_probe import ContainerProbe

    return ContainerProbe


def _cpu() -> type[Probe]:
    from .cpu_probe import CpuProbe

    return CpuProbe


def _disk() -> type[Probe]:
    from .disk_probe import DiskProbe

    return DiskProbe


def _dns() -> type[Probe]:
    from .dns_probe import DnsProbe

    return DnsProbe


def _domain() -> type[Probe]:
    from .domain_probe import DomainProbe

    return DomainProbe


def _dynamodb() -> type[Probe]:
    from .dynamodb_probe import DynamodbProbe

    return DynamodbProbe


def _docker() -> type[Probe]:
    from .docker_probe import DockerProbe

    return DockerProbe


def _file() -> type[Probe]:
    from .file_probe import FileProbe

    return FileProbe


def _http() -> type[Probe]:
    from .http_probe import HttpProbe

    return HttpProbe


def _https() -> type[Probe]:
    from .http_probe import HttpsProbe

    return HttpsProbe


def _icmp() -> type[Probe]:
    from .icmp_probe import IcmpProbe

    return IcmpProbe


def _json() -> type[Probe]:
    from .json_probe import JsonProbe

    return JsonProbe


def _libvirt() -> type[Probe]:
    from .libvirt_probe import LibvirtProbe

    return LibvirtProbe


def _load() -> type[Probe]:
    from .memory_probe import LoadProbe

    return LoadProbe


def _load_test() -> type[Probe]:
    from .load_test_probe import LoadTestProbe

    return LoadTestProbe


def _memory() -> type[Probe]:
    from .memory_probe import MemoryProbe

    return MemoryProbe


def _postgresql() -> type[Probe]:
    from .postgresql_probe import PostgresqlProbe

    return PostgresqlProbe


def _postgresql_archive() -> type[Probe]:
    from .postgresql_archive_probe import PostgresqlArchiveProbe

    return PostgresqlArchiveProbe


def _process() -> type[Probe]:
    from .process_probe import ProcessProbe

    return ProcessProbe


def _redis() -> type[Probe]:
    from .redis_probe import RedisProbe

    return RedisProbe


def _references() -> type[Probe]:
    from .references_probe import ReferencesProbe

    return ReferencesProbe


def _service() -> type[Probe]:
    from .service_probe import ServiceProbe

    return ServiceProbe


def _sqlite() -> type[Probe]:
    from .sqlite_probe import SqliteProbe

    return SqliteProbe


def _swap() -> type[Probe]:
    from .memory_probe import SwapProbe

    return SwapProbe


def _tcp() -> type[Probe]:
    from .tcp_probe import TcpProbe

    return TcpProbe


def _time() -> type[Probe]:
    from .time_probe import TimeProbe

    return TimeProbe


def _tls() -> type[Probe]:
    from .tls_probe import TlsProbe

    return TlsProbe


PROBES: dict[str, Callable[[], type[Probe]]] = {
    "backup": _backup,
    "command": _command,
    "container": _container,
    "cpu": _cpu,
    "disk": _disk,
    "dns": _dns,
    "docker": _docker,
    "domain": _domain,
    "dynamodb": _dynamodb,
    "file": _file,
    "http": _http,
    "https": _https,
    "icmp": _icmp,
    "json": _json,
    "libvirt": _libvirt,
    "load": _load,
    "load_test": _load_test,
    "memory": _memory,
    "postgresql": _postgresql,
    "postgresql_archive": _postgresql_archive,
    "process": _process,
    "redis": _redis,
    "references": _references,
    "service": _service,
    "sqlite": _sqlite,
    "swap": _swap,
    "tcp": _tcp,
    "time": _time,
    "tls": _tls,
}
