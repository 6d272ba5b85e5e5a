# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dynamodb: whether a table exists and is active, and can be restored to a point in time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from .._core.errors import InvalidRequest, MissingDependency
from .base import UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed, TimeUp


class DynamodbProbe(BaseProbe):
    SUMMARY = "Queries DynamoDB for the state of a table and its indexes. Requires boto3."
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "table": Option("text", "Name of the table.", required=True),
        "region": Option("text", "AWS region. The default is that of the environment."),
        "endpoint_url": Option("url", "URL of a server other than that of AWS, for tests."),
        "access_key_id": Option("text", "Access key ID. If not set, boto3 looks up credentials as usual.", secret=True),
        "secret_access_key": Option("text", "Secret access key.", secret=True),
        "session_token": Option("text", "Session token.", secret=True),
        "pitr": Option("boolean", "Whether point-in-time recovery must be on (or off)."),
        "deletion_protection": Option("boolean", "Whether deletion protection must be on (or off)."),
    }
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("s", "Response time."),
        Limit(
            "s",
            "With point-in-time recovery: age of the latest restorable time.",
            warn=600,
            crit=1800,
            name="restorable",
        ),
    )

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        if bool(options["access_key_id"]) != bool(options["secret_access_key"]):
            raise InvalidRequest("access_key_id and secret_access_key must be set together.")

    def run(self, deadline: Deadline) -> Finding:
        name = self.options["table"]
        deadline.doing = f"querying DynamoDB for {name}"
        client, errors = self._client(deadline)
        finding = self.finding()
        try:
            table = client.describe_table(TableName=name)["Table"]
            taken = deadline.elapsed()
            if self.options["pitr"] is not None:
                self._recovery(client.describe_continuous_backups(TableName=name), name, finding)
        except errors.ClientError as exc:
            code = exc.response.get("Error", {}).get("Code", "")
            if code == "ResourceNotFoundException":
                raise ProbeFailed(f"the table {name} does not exist") from None
            unknown = code in ("UnknownOperationException", "AccessDeniedException")
            raise ProbeFailed(f"{name}: {exc}", UNKNOWN if unknown else "critical") from None
        except (errors.ConnectTimeoutError, errors.ReadTimeoutError):
            raise TimeUp from None
        except errors.BotoCoreError as exc:
            missing = isinstance(exc, (errors.NoCredentialsError, errors.NoRegionError, errors.PartialCredentialsError))
            raise ProbeFailed(f"{name}: {exc}", UNKNOWN if missing else "critical") from None
        self._judge(table, finding)
        finding.measure(taken, what=f"the response time for {name}")
        return finding

    def _client(self, deadline: Deadline) -> tuple[Any, Any]:
        try:
            import boto3.session
            import botocore.config
            import botocore.exceptions
        except ImportError:
            raise MissingDependency("boto3", "to look at DynamoDB", "Install it with: pip install boto3") from None
        options = self.options
        left = max(1, math.ceil(deadline.left()))
        try:
            # A session of its own: the default session of boto3 is not thread-safe.
            session = boto3.session.Session(
                options["access_key_id"], options["secret_access_key"], options["session_token"], options["region"]
            )
            if not session.region_name:  # of an empty one, botocore makes the address dynamodb..amazonaws.com
                raise botocore.exceptions.NoRegionError
            client = session.client(
                "dynamodb",
                endpoint_url=options["endpoint_url"],
                config=botocore.config.Config(
                    connect_timeout=left, read_timeout=left, retries={"total_max_attempts": 1}
                ),
            )
        except botocore.exceptions.NoRegionError:
            hint = "Set region, or AWS_DEFAULT_REGION in the environment of the task."
            raise ProbeFailed(f"the AWS region for DynamoDB is not set. {hint}", UNKNOWN) from None
        except (botocore.exceptions.BotoCoreError, ValueError) as exc:
            raise ProbeFailed(f"DynamoDB: {exc}", UNKNOWN) from None
        return client, botocore.exceptions

    def _judge(self, table: Mapping[str, Any], finding: Finding) -> None:
        name, status = table["TableName"], table["TableStatus"]
        finding.good = f"{name} is {status}"
        if status not in ("ACTIVE", "UPDATING"):
            finding.problem(f"{name} is {status}")
        for index in table.get("GlobalSecondaryIndexes", ()):
            if index.get("IndexStatus", "ACTIVE") not in ("ACTIVE", "UPDATING"):
                finding.problem(f"the index {index['IndexName']} of {name} is {index['IndexStatus']}")
        protected = bool(table.get("DeletionProtectionEnabled"))
        wanted = self.options["deletion_protection"]
        if wanted is not None and protected != wanted:
            finding.problem(f"the deletion protection of {name} is {('on' if protected else 'off')}")
        # AWS updates the count every six hours.
        finding.metric("items", table.get("ItemCount", 0), "count")
        finding.metric("size", table.get("TableSizeBytes", 0), "bytes")

    def _recovery(self, answer: Mapping[str, Any], name: str, finding: Finding) -> None:
        described = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        enabled = described.get("PointInTimeRecoveryStatus") == "ENABLED"
        if enabled != self.options["pitr"]:
            finding.problem(f"point-in-time recovery of {name} is {('on' if enabled else 'off')}")
        latest = described.get("LatestRestorableDateTime")
        if enabled and latest is not None:
            from datetime import datetime, timezone

            age = (datetime.now(timezone.utc) - latest).total_seconds()
            finding.measure(max(0.0, age), "restorable", f"the age of the latest restorable time of {name}")
