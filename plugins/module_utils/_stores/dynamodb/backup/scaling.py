# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The autoscaling of provisioned tables and their indexes, which belongs to another service of AWS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ...._core.aws import Exhausted, Refused, Service
from ...._core.errors import TargetError
from ..client import describe_failure
from ..tables import Table

_NAMESPACE = "dynamodb"
_MANY = 50  # resources in one question
_TARGET = ("ScalableDimension", "MinCapacity", "MaxCapacity")
_POLICY = ("PolicyName", "ScalableDimension", "PolicyType", "TargetTrackingScalingPolicyConfiguration")
_TRACKING = "TargetTrackingScaling"

Scaling = Mapping[
    str, Any
]  # "targets" and "policies", as AWS has them; "index" instead of the resource, "" of the table


def read_scaling(service: Optional[Service], table: Table, unseen: list[str]) -> Optional[Scaling]:
    """What scales a provisioned table; None if nothing does.

    :param service: None: the server has no such service.
    :param unseen: gets a sentence if that can't be read.
    """
    if service is None or table.described.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST":
        return None
    names = ["", *sorted(str(one["IndexName"]) for one in table.described.get("GlobalSecondaryIndexes", ()))]
    resources = {_resource(table.name, name): name for name in names}
    try:
        targets = _targets(service, list(resources))
        policies = [
            one for each in sorted({str(one["ResourceId"]) for one in targets}) for one in _policies(service, each)
        ]
    except (Refused, Exhausted) as exc:
        unseen.append(f"The scaling of the DynamoDB table {table.name} can't be read: {str(exc).strip('. ')}.")
        return None
    tracking = [one for one in policies if one["PolicyType"] == _TRACKING]
    found = {"targets": _plain(targets, _TARGET, resources), "policies": _plain(tracking, _POLICY, resources)}
    return found if targets else None


def missing_scaling(wanted: Scaling, current: Scaling, table: Table) -> Scaling:
    """What scales a table or index in a backup, if nothing scales it now. {} if there is none."""
    if table.described.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST":
        return {}
    existing = {"", *(str(one["IndexName"]) for one in table.described.get("GlobalSecondaryIndexes", ()))}
    scaled = {_place(one) for one in current.get("targets", ())}
    lacking = {
        kind: [one for one in wanted.get(kind, ()) if one["index"] in existing and _place(one) not in scaled]
        for kind in ("targets", "policies")
    }
    return lacking if lacking["targets"] else {}


def put_scaling(service: Service, name: str, wanted: Scaling) -> None:
    """Have AWS scale a table. Raises TargetError."""
    try:
        for one in wanted["targets"]:
            service.ask("register_scalable_target", **_arguments(name, one, _TARGET))
        for one in wanted["policies"]:
            service.ask("put_scaling_policy", **_arguments(name, one, _POLICY))
    except (Refused, Exhausted) as exc:
        raise describe_failure(TargetError, f"Setting the scaling of the DynamoDB table {name}", exc) from None


def _place(one: Mapping[str, Any]) -> tuple[str, str]:
    return str(one["index"]), str(one["ScalableDimension"])


def _arguments(name: str, one: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    place = {"ServiceNamespace": _NAMESPACE, "ResourceId": _resource(name, one["index"])}
    return {**place, **{key: one[key] for key in keys}}


def _resource(table: str, index: str) -> str:
    return f"table/{table}/index/{index}" if index else f"table/{table}"


def _targets(service: Service, resources: list[str]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for first in range(0, len(resources), _MANY):
        some = resources[first : first + _MANY]
        found += _pages(service, "describe_scalable_targets", "ScalableTargets", ResourceIds=some)
    return found


def _policies(service: Service, resource: str) -> list[Mapping[str, Any]]:
    return _pages(service, "describe_scaling_policies", "ScalingPolicies", ResourceId=resource)


def _pages(service: Service, operation: str, key: str, **arguments: Any) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    while True:
        answer = service.ask(operation, ServiceNamespace=_NAMESPACE, **arguments)
        found += answer.get(key, ())
        if not answer.get("NextToken"):
            return found
        arguments["NextToken"] = answer["NextToken"]


def _plain(
    found: Iterable[Mapping[str, Any]], keys: Iterable[str], resources: Mapping[str, str]
) -> list[dict[str, Any]]:
    plain = [{"index": resources[one["ResourceId"]], **{key: one[key] for key in keys}} for one in found]
    return sorted(plain, key=lambda one: (*_place(one), str(one.get("PolicyName"))))
