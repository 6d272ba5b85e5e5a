# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two stores of a migration, and what of them is migrated."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  source:
    description: The store that is read. Needed, except where M(day2.ops.migrate) goes back, or changes a schema.
    type: dict
    suboptions:
      type:
        description:
          - What kind of store it is.
          - V(json), a document whose top-level keys are collections.
          - V(sqlite), a database of SQLite 3; its tables are collections.
          - V(postgresql), a schema of a PostgreSQL database (13 or newer); needs psycopg 3 on the host.
          - V(dynamodb), tables of DynamoDB; needs boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document has what JSON lacks.
          - V(plain), as applications read and write it. A time is ISO 8601 text, bytes are base64, NaN and infinities are text. No
            mapping has a meaning of its own. This is the default.
          - >-
            V(exact), as mappings with one key, so that they come back as what they were, like C({"$time": "2025-06-30T10:00:00Z"}),
            C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping of the data looks like one of these, its key gets one more C($).
          - Where a field of the source has text in some records and such values in others, a document that is written with V(plain)
            has these mappings in that field, and a warning names it.
        type: str
        choices: [plain, exact]
      database:
        description: For V(postgresql), the database.
        type: str
      host:
        description: For V(postgresql), the server, or the directory of its socket. libpq's own defaults hold for what is not given.
        type: str
      port:
        description: For V(postgresql), the server's port.
        type: int
      user:
        description: For V(postgresql), the role.
        type: str
      password:
        description: For V(postgresql), its password. A password file (C(~/.pgpass)) on the host does as well.
        type: str
      schema:
        description: For V(postgresql), the schema whose tables are the collections; the default is V(public).
        type: str
      sslmode:
        description: For V(postgresql), whether the connection is encrypted and the server's certificate checked.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), what the names of the tables start with. The rest is the collection's name.
        type: str
      tables:
        description: For V(dynamodb), the table of each collection, instead of O(source.prefix).
        type: dict
      region:
        description: For V(dynamodb), the region.
        type: str
      endpoint_url:
        description: For V(dynamodb), another endpoint than Amazon's.
        type: str
      profile:
        description: For V(dynamodb), a profile of the host's AWS configuration.
        type: str
      access_key:
        description: For V(dynamodb), the access key. Without it, boto3 finds credentials as usual.
        type: str
      secret_key:
        description: For V(dynamodb), the secret key.
        type: str
      session_token:
        description: For V(dynamodb), the session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to go on when it takes nothing more; the default is V(5m).
        type: str
  target:
    description: The store to write. What it holds besides the migrated collections stays.
    type: dict
    required: true
    suboptions:
      type:
        description:
          - What kind of store it is.
          - V(json), a document whose top-level keys are collections.
          - V(sqlite), a database of SQLite 3; its tables are collections.
          - V(postgresql), a schema of a PostgreSQL database (13 or newer); needs psycopg 3 on the host.
          - V(dynamodb), tables of DynamoDB; needs boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document has what JSON lacks.
          - V(plain), as applications read and write it. A time is ISO 8601 text, bytes are base64, NaN and infinities are text. No
            mapping has a meaning of its own. This is the default.
          - >-
            V(exact), as mappings with one key, so that they come back as what they were, like C({"$time": "2025-06-30T10:00:00Z"}),
            C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping of the data looks like one of these, its key gets one more C($).
          - Where a field of the source has text in some records and such values in others, a document that is written with V(plain)
            has these mappings in that field, and a warning names it.
        type: str
        choices: [plain, exact]
      database:
        description: For V(postgresql), the database.
        type: str
      host:
        description: For V(postgresql), the server, or the directory of its socket. libpq's own defaults hold for what is not given.
        type: str
      port:
        description: For V(postgresql), the server's port.
        type: int
      user:
        description: For V(postgresql), the role.
        type: str
      password:
        description: For V(postgresql), its password. A password file (C(~/.pgpass)) on the host does as well.
        type: str
      schema:
        description: For V(postgresql), the schema whose tables are the collections; the default is V(public).
        type: str
      sslmode:
        description: For V(postgresql), whether the connection is encrypted and the server's certificate checked.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), what the names of the tables start with. The rest is the collection's name.
        type: str
      tables:
        description: For V(dynamodb), the table of each collection, instead of O(target.prefix).
        type: dict
      region:
        description: For V(dynamodb), the region.
        type: str
      endpoint_url:
        description: For V(dynamodb), another endpoint than Amazon's.
        type: str
      profile:
        description: For V(dynamodb), a profile of the host's AWS configuration.
        type: str
      access_key:
        description: For V(dynamodb), the access key. Without it, boto3 finds credentials as usual.
        type: str
      secret_key:
        description: For V(dynamodb), the secret key.
        type: str
      session_token:
        description: For V(dynamodb), the session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to go on when it takes nothing more; the default is V(5m).
        type: str
  only:
    description: The collections to migrate; the default is all.
    type: list
    elements: str
  primary_keys:
    description:
      - What tells the records of a collection apart, where the store does not say. Tables without a primary key need it, and tables whose
        key may be null. The records of a list in a JSON document without a key here are told apart by their places.
        In a database these fields are unique after the migration, and what was the primary key
        stays unique.
      - A mapping's key is the field that equals it in every record. Otherwise it is kept in a field of its own, C(_key), or the first
        free name made from that. The key of a DynamoDB table is what it is.
    type: list
    elements: dict
    suboptions:
      collection:
        description: The collection.
        type: str
        required: true
      fields:
        description: The fields of its key.
        type: list
        elements: str
        required: true
  shape:
    description:
      - How records become rows of tables that are not there yet.
      - V(columns), a column a field; V(document), the key, and one column with the whole record as JSON.
    type: str
    choices: [columns, document]
    default: columns
  target_tables:
    description:
      - Whether the tables of a C(postgresql) target were made by the application.
      - V(create), missing tables are created. Existing ones must have columns of the same kind, and are written in batches.
      - V(existing), the application has made them, for example with the migrations of Django, Rails or Alembic. Nothing is created.
        Values are converted to the types of the columns, columns that only the target has keep their values or get their
        defaults, and everything is written in one transaction as the owner of the tables, no superuser. User triggers do not
        fire; foreign keys are dropped and added again, which checks them; sequences continue behind the highest number. What
        stands in the way is reported at once, before anything is written.
      - With V(existing), tables that record the version of the schema (C(django_migrations), C(schema_migrations),
        C(alembic_version), C(flyway_schema_history), C(knex_migrations), C(_prisma_migrations), C(__EFMigrationsHistory),
        C(goose_db_version)) are compared and never written, and C(ar_internal_metadata) is left alone.
      - As it is one transaction, a killed run leaves the target as it was and is simply run again. The other sessions of the
        application wait while its tables are written, up to their own timeouts, and the server needs space for the old rows, the
        new ones and a temporary copy of them until the end. Check mode needs the right to create temporary tables and
        tries all constraints on copies; it takes about as long as the run.
      - V(auto), V(existing) if source and target have one of these tables and the target has all selected collections;
        V(create) otherwise.
    type: str
    choices: [auto, create, existing]
    default: auto
  types:
    description:
      - The types of columns, as a mapping from C(COLLECTION.FIELD) to a type, or to a type and the unit of numbers that are times
        (C(s), C(ms) or C(us)), for example V(timestamptz from ms).
      - Types are C(bigint), C(boolean), C(bytea), C(date), C(integer), C(interval), C(jsonb), C(numeric), C(real), C(text),
        C(timestamp), C(timestamptz) and C(uuid). Text is converted where it is exactly a value of that type, for example V(t), V(f),
        V(true) and V(false) to a boolean.
      - Without it, a column of SQLite that is declared with a name like C(DATETIME), and has nothing but ISO 8601 times (all with
        or all without an offset, or all dates), becomes a timestamp or date, and a C(BOOLEAN) with nothing but truth values a boolean.
      - With O(target_tables=existing), only the unit matters, as the types are the target's.
    type: dict
  names:
    description:
      - The names of tables and columns in a database of another type than the source's.
      - V(keep), as they are. PostgreSQL then wants those with capitals in double quotes in every statement.
      - V(lower), in lower case. Names that differ in case alone are an error.
    type: str
    choices: [keep, lower]
    default: keep
  odd:
    description:
      - What to do with a column whose values are of several kinds, like V(10) and V(lots), or that can't have the type in O(types).
      - V(fail), nothing is changed, and all such columns are listed with the kinds, the first value of each, and its key.
      - V(reject), the column gets the type of most values. Records with others are rejected, see O(day2.ops.migrate#module:rejects).
      - V(wider), the column becomes JSON (C(jsonb) in PostgreSQL), with a warning.
      - The default is V(fail) for SQLite and PostgreSQL as the source, and V(wider) for documents.
    type: str
    choices: [fail, reject, wider]
  time_zone:
    description:
      - The time zone of times without an offset that go into a column of type C(timestamptz), for example V(UTC) or
        V(Europe/Berlin). Required if there are such times. Django stores UTC if its setting C(USE_TZ) is true, otherwise the
        time of C(TIME_ZONE); Rails stores UTC.
      - A time that the zone skipped or had twice is rejected, never guessed.
    type: str
  workers:
    description:
      - How many processes read, parse and digest at the same time. The target still has one writer, except DynamoDB,
        which is always written by several connections at once.
      - JSON documents and, as far as nobody else can write meanwhile, SQLite databases are shared out; PostgreSQL computes
        its digests itself.
      - The default is the number of cores that the task may use, but not more than 4. With V(1) everything is done by one
        process, in a little less memory.
    type: int
"""
