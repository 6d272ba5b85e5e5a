# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data that others made for others: PROJ's database of coordinate systems, the ISO codes of languages and regions."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.records import CollectionDigest
from ansible_collections.day2.ops.plugins.module_utils._stores.records.note import without_place
from ansible_collections.day2.ops.plugins.module_utils._stores.records.registry import open_target
from tests.unit.module_utils._verbs.migrations import Store, Stores, four_steps, run, sql

pytestmark = pytest.mark.once

PROJ = "/usr/share/proj/proj.db"
ISO = Path("/usr/share/iso-codes/json")
# The tables without a key, and one whose key is mostly null.
KEYS = {
    "alias_name": "table_name auth_name code alt_name source",
    "authority_to_authority_preference": "source_auth_name target_auth_name",
    "deprecation": "table_name deprecated_auth_name deprecated_code replacement_auth_name replacement_code source",
    "supersession": "superseded_table_name superseded_auth_name superseded_code replacement_table_name "
    "replacement_auth_name replacement_code source",
    "usage": "object_table_name object_auth_name object_code extent_auth_name extent_code scope_auth_name scope_code",
    "versioned_auth_name_mapping": "versioned_auth_name",
}


# Most of the rows to which no others refer, and then what nothing refers to any more. All tables and columns stay.
UNUSED = {
    "usage": "rowid % 20",
    "alias_name": "rowid % 20",
    "projected_crs": "code NOT LIKE '%0'",
    "helmert_transformation_table": "code NOT LIKE '%0'",
    "extent": "(auth_name, code) NOT IN (SELECT extent_auth_name, extent_code FROM usage)",
}
MOST = 800  # codes of each list


def installed(path: str, package: str) -> str:
    if not Path(path).exists():
        pytest.fail(f"{path} is missing. Install it with: apt-get install {package}")
    return path


def contents(store: Store, keys: dict[str, tuple[str, ...]]) -> dict[str, tuple[int, str]]:
    """Of each collection the number of records and their digest."""
    found = {}
    with open_target(store, keys) as records:
        for info in records.collections():
            digest = CollectionDigest()
            for record in records.read(without_place(info)):
                digest.add(record)
            found[info.name] = (digest.count, digest.hexdigest())
    return found


def references(store: Store) -> dict[str, Any]:
    with open_target(store, {}) as records:
        infos = records.collections()
    # only PostgreSQL gives them names
    return {info.name: sorted(one._replace(name="") for one in info.foreign_keys) for info in infos}


def test_a_database_with_the_quirks_of_a_real_one(stores: Stores) -> None:
    """36 tables with keys of several columns that hold numbers or text, and foreign keys between them."""
    chain = list(map(stores, ("sqlite", "postgresql", "sqlite", "json")))
    shutil.copy(installed(PROJ, "proj-data"), chain[0]["path"])
    for name, which in UNUSED.items():
        sql(chain[0], f"DELETE FROM {name} WHERE {which}")
    assert sql(chain[0], "PRAGMA foreign_key_check") == []
    keys = [{"collection": name, "fields": fields.split()} for name, fields in KEYS.items()]
    for source, target in zip(chain, chain[1:]):
        done = run(source=source, target=target, primary_keys=keys, odd="wider")
        assert all(one["ok"] for one in done["validation"])
        assert done["migration"]["total"] > 10_000
    given = {name: tuple(fields.split()) for name, fields in KEYS.items()}
    with open_target(chain[1], {}) as records:
        given.update({info.name: info.key for info in records.collections()})
    assert contents(chain[-1], given) == contents(chain[0], given)
    assert not run(source=chain[0], target=chain[1], primary_keys=keys, odd="wider")["changed"]
    assert references(chain[1]) == references(chain[2]) == references(chain[0])


def test_documents_as_they_are_published(stores: Stores) -> None:
    installed(str(ISO), "iso-codes")
    document = {}
    for path in sorted(ISO.glob("iso_*.json")):
        for name, codes in json.loads(path.read_text()).items():
            document[name] = codes[:: len(codes) // MOST + 1]
    fields = {"4217": "numeric", "15924": "numeric", "3166-1": "alpha_2", "3166-2": "code", "3166-3": "alpha_4"}
    keys = [{"collection": name, "fields": [fields.get(name, "alpha_3")]} for name in document]
    chain = list(map(stores, ("json", "sqlite", "postgresql", "dynamodb", "json")))
    Path(chain[0]["path"]).write_text(json.dumps(document, ensure_ascii=False))
    for source, target in itertools.islice(zip(chain, chain[1:]), 4):
        four_steps(source, target, primary_keys=keys if source["type"] == "json" else None)
    given = {one["collection"]: one["fields"] for one in keys}
    assert contents(chain[0], given) == contents(chain[-1], given)
