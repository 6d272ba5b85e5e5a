# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""aws.py URL fill: makes two tables, two parameters and a bucket. aws.py URL change: writes, changes and deletes an
item. aws.py URL show: what the account has, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3


def main() -> None:
    url, action = sys.argv[1:]
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-central-1"}
    dynamodb, ssm, s3 = (boto3.client(name, endpoint_url=url, **keys) for name in ("dynamodb", "ssm", "s3"))
    if action == "change":
        for number in ("0", "50"):
            dynamodb.put_item(TableName="shop_orders", Item={"id": {"S": number}, "total": {"N": "99"}})
        dynamodb.delete_item(TableName="shop_orders", Key={"id": {"S": "1"}})
        return
    if action == "fill":
        for table in ("shop_orders", "shop_customers"):
            dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
                Tags=[{"Key": "team", "Value": "ops"}],
            )
            for number in range(50):
                dynamodb.put_item(TableName=table, Item={"id": {"S": str(number)}, "total": {"N": f"{number}.50"}})
        ssm.put_parameter(Name="/shop/url", Value="https://shop.example.com", Type="String")
        ssm.put_parameter(Name="/shop/workers", Value="4", Type="String")
        s3.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        return
    tables = dynamodb.list_tables()["TableNames"]
    parameters = ssm.get_parameters_by_path(Path="/", Recursive=True)["Parameters"]
    found: list[dict[str, Any]] = s3.list_objects_v2(Bucket="exports").get("Contents", [])
    manifests = [one for one in found if one["Key"].endswith("manifest-summary.json")]
    orders = {one["id"]["S"]: one["total"]["N"] for one in dynamodb.scan(TableName="shop_orders")["Items"]}
    imported = dynamodb.scan(TableName="imported_orders")["Items"] if "imported_orders" in tables else []
    shown = {
        "exports": len(manifests),
        "imported_equals": {one["id"]["S"]: one["total"]["N"] for one in imported} == orders,
        "tables": {one: dynamodb.scan(TableName=one, Select="COUNT")["Count"] for one in tables},
        "backups": len(dynamodb.list_backups()["BackupSummaries"]),
        "parameters": {one["Name"]: one["Value"] for one in parameters},
    }
    print(json.dumps(shown))


if __name__ == "__main__":
    main()
