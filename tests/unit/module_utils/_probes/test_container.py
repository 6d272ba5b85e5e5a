# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""container against real engines, Docker and Podman."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._probes.docker_probe import DockerProbe
from tests.services.docker import Docker, docker
from tests.services.podman import podman
from tests.services.waiting import wait_for

pytestmark = pytest.mark.once

Check = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    settings = ("--live-restore", "--no-new-privileges", "--log-driver", "local")
    with docker(tmp_path_factory.mktemp("docker"), *settings) as running:
        running.run("web", "sleep 3600", "--env", "PASSWORD=geheim")
        running.run("ended", "exit 3")
        health = ("--health-interval", "300ms", "--health-timeout", "60s", "--health-retries", "1")
        running.run("healthy", "sleep 3600", "--health-cmd", "test -e /bin/sh", *health)
        running.run("unhealthy", "sleep 3600", "--health-cmd", "cat /none", *health)
        running.run("restarts", "exit 1", "--restart", "on-failure:4")
        yield running


def wait_until(check: Check, options: dict[str, Any], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    def look() -> Any:
        result = check("container", **options)
        return wanted(result) and result

    found: dict[str, Any] = wait_for(look, 0.2)
    return found


def test_settings_of_the_daemon(check: Check, engine: Docker) -> None:
    where = {"socket": str(engine.socket)}
    good = {"live_restore": True, "log_driver": ["local"], "security": ["seccomp"], "log_limits": True}
    result = check("docker", **good, **where)
    assert (result["status"], result["message"]) == ("ok", "the Docker daemon has the required settings")
    result = check("docker", security="no-new-privileges", **where)
    if int(engine("version", "--format", "{{.Server.Version}}").partition(".")[0]) < 24:
        assert result["status"] == "unknown"
        assert "does not report it" in result["message"]
    else:
        assert result["status"] == "ok"
    # those of containers are their own
    engine("create", "--name", "limited", "--log-driver", "json-file", "--log-opt", "max-size=1m", "busybox", "sh")
    engine("create", "--name", "chatty", "--log-driver", "json-file", "busybox", "sh")
    result = check(
        "docker", live_restore=False, log_driver="journald", security=["userns", "seccomp"], log_limits=True, **where
    )
    assert result["status"] == "critical"
    assert "live-restore of the Docker daemon is on, not off" in result["message"]
    assert "the default log driver of Docker is local, not journald" in result["message"]
    assert "the Docker daemon runs without userns" in result["message"]
    assert "the logs of these containers have no max-size: chatty" in result["message"]
    assert "limited" not in result["message"]
    engine("rm", "chatty", "limited")
    with pytest.raises(InvalidRequest, match="nothing is required"):
        check("docker", **where)


def test_containers(check: Check, engine: Docker) -> None:
    where = {"socket": str(engine.socket)}
    result = check("container", container="web", image="^busybox", **where)
    assert result["status"] == "ok", result["message"]
    assert result["message"].startswith("web is running for ")
    assert result["value"] == 0
    assert check("container", container="web", image="nginx", **where)["status"] == "critical"
    assert check("container", container="web", age_crit="1h", **where)["status"] == "critical"
    assert check("container", container="web", health="required", **where)["message"] == "web has no health check"
    assert check("container", container="none", **where)["message"] == "the container none does not exist"
    with pytest.raises(InvalidRequest, match="not a valid container name"):
        check("container", container="none/../web", **where)
    result = wait_until(check, dict(where, container="ended"), lambda found: "exited" in found["message"])
    assert (result["status"], result["message"]) == ("critical", "ended is exited with 3: check its logs")
    assert check("container", container="ended", state=["exited"], **where)["status"] == "ok"


def test_health(check: Check, engine: Docker) -> None:
    where = {"socket": str(engine.socket)}
    good = wait_until(check, dict(where, container="healthy"), lambda found: found["status"] == "ok")
    assert good["status"] == "ok", good["message"]
    assert check("container", container="healthy", health="required", **where)["status"] == "ok"
    bad = wait_until(check, dict(where, container="unhealthy"), lambda found: found["status"] == "critical")
    assert "unhealthy is unhealthy: cat: can't open '/none'" in bad["message"]
    assert check("container", container="unhealthy", health="ignored", **where)["status"] == "ok"


def test_restarts(check: Check, engine: Docker) -> None:
    options = {"socket": str(engine.socket), "container": "restarts", "state": ["exited", "restarting", "running"]}
    result = wait_until(check, options, lambda found: found["value"] == 4)
    assert result["status"] == "warning"
    assert "the number of restarts of restarts is 4, warning above 3" in result["message"]


def test_the_whole_engine(check: Check, engine: Docker) -> None:
    result = wait_until(check, {"socket": str(engine.socket)}, lambda found: found["status"] == "critical")
    assert "unhealthy is unhealthy" in result["message"]
    assert {one["name"]: one["value"] for one in result["metrics"]}["containers"] == 5


def test_podman(check: Check) -> None:
    with podman() as engine:
        where = {"socket": str(engine.socket)}
        engine.run("web", "sleep 3600")
        engine.run("ended", "exit 3")
        # Its own intervals need systemd.
        health = ("--health-interval", "disable", "--health-retries", "1")
        engine.run("sick", "sleep 3600", "--health-cmd", "cat /none", *health)
        engine("healthcheck", "run", "sick", check=False)

        assert check("container", container="web", image="busybox", **where)["status"] == "ok"
        assert check("container", container="web", health="required", **where)["message"] == "web has no health check"
        ended = wait_until(check, dict(where, container="ended"), lambda found: "exited" in found["message"])
        assert ended["message"] == "ended is exited with 3: check its logs"
        assert check("container", container="none", **where)["message"] == "the container none does not exist"
        sick = check("container", container="sick", **where)
        assert (sick["status"], "sick is unhealthy" in sick["message"]) == ("critical", True)
        # Its list of containers, unlike Docker's, does not say how they are.
        everything = check("container", **where)
        assert (everything["status"], everything["message"]) == ("critical", "sick is unhealthy")
        assert {one["name"]: one["value"] for one in everything["metrics"]} == {"containers": 3, "running": 2}


def test_no_engine(check: Check, tmp_path: Path) -> None:
    result = check("container", container="web", socket=str(tmp_path / "none.sock"))
    assert result["status"] == "critical"
    assert "No such file or directory" in result["message"]


@pytest.mark.parametrize(
    ("profile", "status"), [("unconfined", "critical"), ("builtin", "ok"), ("/etc/own.json", "ok")]
)
def test_seccomp_that_filters_nothing(profile: str, status: str) -> None:
    """As Docker 23 and newer ones tell of `"seccomp-profile": "unconfined"`."""
    options = {**dict.fromkeys(DockerProbe.OPTIONS), "security": ["seccomp"]}
    probe = DockerProbe(options, {})
    finding = probe.finding()
    info = {"LoggingDriver": "local", "SecurityOptions": ["name=apparmor", f"name=seccomp,profile={profile}"]}
    probe._settings(info, finding)
    assert finding.status == status
