# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of checks by name. To add one: a file like tcp_probe.py, its test, and its line here.

The code of a type is imported, and sent to a host, only for a check of that type: imports by name are not followed by
ansible-core (plugin_utils/payload.py).
"""

from __future__ import annotations

from importlib import import_module

from .base import Probe

# By type of check: the module here, and the class in it.
PROBES = {
    "backup": ("backup_probe", "BackupProbe"),
    "command": ("command_probe", "CommandProbe"),
    "container": ("container_probe", "ContainerProbe"),
    "cpu": ("cpu_probe", "CpuProbe"),
    "disk": ("disk_probe", "DiskProbe"),
    "dns": ("dns_probe", "DnsProbe"),
    "docker": ("docker_probe", "DockerProbe"),
    "domain": ("domain_probe", "DomainProbe"),
    "dynamodb": ("dynamodb_probe", "DynamodbProbe"),
    "file": ("file_probe", "FileProbe"),
    "http": ("http_probe", "HttpProbe"),
    "https": ("http_probe", "HttpsProbe"),
    "icmp": ("icmp_probe", "IcmpProbe"),
    "json": ("json_probe", "JsonProbe"),
    "libvirt": ("libvirt_probe", "LibvirtProbe"),
    "load": ("memory_probe", "LoadProbe"),
    "load_test": ("load_test_probe", "LoadTestProbe"),
    "memory": ("memory_probe", "MemoryProbe"),
    "postgresql": ("postgresql_probe", "PostgresqlProbe"),
    "postgresql_archive": ("postgresql_archive_probe", "PostgresqlArchiveProbe"),
    "process": ("process_probe", "ProcessProbe"),
    "redis": ("redis_probe", "RedisProbe"),
    "references": ("references_probe", "ReferencesProbe"),
    "service": ("service_probe", "ServiceProbe"),
    "sqlite": ("sqlite_probe", "SqliteProbe"),
    "swap": ("memory_probe", "SwapProbe"),
    "tcp": ("tcp_probe", "TcpProbe"),
    "time": ("time_probe", "TimeProbe"),
    "tls": ("tls_probe", "TlsProbe"),
}


def find_probe(kind: str) -> type[Probe]:
    """The class of a type of checks. Raises KeyError: there is no such type."""
    module, name = PROBES[kind]
    probe: type[Probe] = getattr(import_module(f".{module}", __package__), name)
    return probe
