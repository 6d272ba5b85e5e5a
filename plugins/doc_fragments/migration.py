# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for the two stores of a migration and the selection of records.

Written by "make docs" from dev/options/migration.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  target:
    description: The store to write. Its content other than the migrated collections is not changed.
    type: dict
    required: true
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections.
          - V(sqlite) is an SQLite 3 database whose tables are collections.
          - V(postgresql) is a schema of a PostgreSQL database (13 or newer). It requires psycopg 3 on the host.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), path of the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document represents values that JSON lacks.
          - V(plain) represents them as applications read and write them. Times are ISO 8601 strings, bytes are base64
            (or hex), and NaN and infinities are strings. No mapping has a special meaning. This is the default.
          - 'V(exact) represents them as mappings with one key, from which the original values can be restored, such as
            C({"$time": "2025-06-30T10:00:00Z"}), C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping in the
            data looks like one of these, another C($) is added to its key.'
          - If a field of the source contains text in some records and such values in others, a document written with
            V(plain) contains these mappings in that field, and a warning names the field.
        type: str
        choices: [plain, exact]
      bytes:
        description:
          - For a V(json) store that is written with O(target.values=plain), the text that represents bytes. The default
            is V(base64).
          - To migrate such text back to bytes, use O(day2.ops.migrate#module:types), for example V(bytea from hex).
        type: str
        choices: [base64, hex]
      database:
        description: For V(postgresql), name of the database.
        type: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description: For V(postgresql), role to connect as.
        type: str
      password:
        description:
          - For V(postgresql), password of the role. A password file (C(~/.pgpass)) on the host can be used instead.
        type: str
      schema:
        description: For V(postgresql), schema whose tables are the collections. The default is V(public).
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), prefix of the table names. The rest of a table name is the name of the collection.
        type: str
      tables:
        description: For V(dynamodb), mapping of collections to table names. Use either this or O(target.prefix).
        type: dict
      region:
        description: For V(dynamodb), AWS region.
        type: str
      endpoint_url:
        description: For V(dynamodb), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb), secret access key.
        type: str
      session_token:
        description: For V(dynamodb), session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to retry while throttled. The default is V(5m).
        type: str
  only:
    description: Collections to migrate. The default is all.
    type: list
    elements: str
  primary_keys:
    description:
      - Fields that identify the records of a collection, for collections whose store does not define a key. Records of
        a list in a JSON document that is not named here are identified by their positions. In a database, these fields
        are unique after the migration, and the former primary key remains unique.
      - Tables without a primary key, or a unique index on columns that cannot be null, and SQLite tables whose primary
        key is null in some rows, are compared by whole rows if they are not named here. A V(dynamodb) target and
        O(day2.ops.migrate#module:shape=document) require a key.
      - The key of a mapping is the field that equals it in every record. If no such field exists, it is stored in a
        separate field named C(_key), or the first unused name derived from it. The key of a DynamoDB table cannot be
        changed.
    type: list
    elements: dict
    suboptions:
      collection:
        description: Name of the collection.
        type: str
        required: true
      fields:
        description: Fields of the key.
        type: list
        elements: str
        required: true
  shape:
    description:
      - How records are stored in tables that do not exist yet.
      - V(columns) creates one column for each field. V(document) creates the key columns and one column that contains
        the whole record as JSON.
    type: str
    choices: [columns, document]
    default: columns
  target_tables:
    description:
      - Whether the tables of a C(postgresql) target were created by the application.
      - V(create) creates missing tables. Existing tables must have columns of the same kind, and are written in
        batches.
      - V(existing) is for tables that the application has created, for example with the migrations of Django, Rails or
        Alembic. Nothing is created. Values are converted to the types of the columns, columns that exist only in the
        target keep their values or get their defaults, and everything is written in one transaction as the owner of the
        tables, who need not be a superuser. User triggers do not fire. Foreign keys are dropped and added again, which
        checks them. Sequences continue after the highest number in use. All obstacles are reported at once, before
        anything is written.
      - With V(existing), tables that record the version of the schema (C(django_migrations), C(schema_migrations),
        C(alembic_version), C(flyway_schema_history), C(knex_migrations), C(_prisma_migrations),
        C(__EFMigrationsHistory), C(goose_db_version)) are compared and never written, and C(ar_internal_metadata) is
        ignored.
      - Because everything is one transaction, a killed run leaves the target as it was and can simply be repeated.
        Other sessions of the application wait while its tables are written, up to their own timeouts, and until the end
        the server needs disk space for the old rows, the new rows and a temporary copy. Check mode requires permission
        to create temporary tables, tests all constraints on copies, and takes about as long as the run.
      - V(auto) means V(existing) if source and target have one of these tables and the target has all selected
        collections, V(create) otherwise.
    type: str
    choices: [auto, create, existing]
    default: auto
  types:
    description:
      - Types of columns, as a mapping of C(COLLECTION.FIELD) to a type, for example V(uuid) or V(numeric(10,2\)). For
        values that represent something else, the type is followed by C(from) and the unit of numbers that represent
        times (C(s), C(ms) or C(us)), or the encoding of text that represents bytes (C(hex) or C(base64)), for example
        V(timestamptz from ms) or V(bytea from hex).
      - Types are C(bigint), C(boolean), C(bytea), C(char), C(date), C(double precision), C(integer), C(interval),
        C(jsonb), C(numeric), C(real), C(smallint), C(text), C(time), C(timestamp), C(timestamptz), C(uuid) and
        C(varchar). Text is converted if it exactly represents a value of that type, for example V(t), V(f), V(true) and
        V(false) for a boolean.
      - C(char), C(numeric), C(time), C(timestamp), C(timestamptz) and C(varchar) can have a size, such as
        V(varchar(40\)) or V(timestamptz(3\)). Values are never rounded or cut. Values that do not fit are handled
        according to O(odd).
      - By default, an SQLite column that is declared with a name such as C(DATETIME), and contains only ISO 8601 times
        (all with or all without an offset, or all dates), becomes a timestamp or date, and a C(BOOLEAN) column that
        contains only truth values becomes a boolean.
      - With O(target_tables=existing), only the unit is used, as the types are those of the target.
    type: dict
  names:
    description:
      - Names of tables and columns in a database of another type than the source.
      - V(keep) keeps the names. PostgreSQL then requires double quotes around names with capital letters in every
        statement.
      - V(lower) converts the names to lower case. Names that differ only in case are an error.
    type: str
    choices: [keep, lower]
    default: keep
  odd:
    description:
      - What to do with a column whose values are of several kinds, such as V(10) and V(lots), cannot be converted to
        the type in O(types), or are text that the target does not store. PostgreSQL stores no text that is not valid
        Unicode or contains a NUL character, SQLite none that is not valid Unicode.
      - V(fail) changes nothing, and lists all such columns with the kinds, the first value of each kind, and its key.
      - V(reject) uses the type of the majority of the values. Records with other values are rejected, see
        O(day2.ops.migrate#module:rejects).
      - V(wider) makes the column JSON (C(jsonb) in PostgreSQL), with a warning. An SQLite column of text that the
        target does not store becomes C(bytea), unless it belongs to an index or a foreign key. In other cases, such
        records are rejected.
      - A column that exists, or whose type is in O(types), keeps its type. For it, V(wider) means V(fail).
      - The default is V(fail) for SQLite and PostgreSQL sources, and V(wider) for documents.
    type: str
    choices: [fail, reject, wider]
  timezone:
    description:
      - Time zone of times without an offset that are written to columns of type C(timestamptz), for example V(UTC) or
        V(Europe/Berlin). Required if such times exist. Django stores UTC if its setting C(USE_TZ) is true, otherwise
        the time of C(TIME_ZONE). Rails stores UTC.
      - A time that is skipped or repeated in this time zone is rejected, never guessed.
    type: str
  workers:
    description:
      - Number of processes that read, parse and compute digests in parallel. The target still has one writer, except
        for DynamoDB, which is always written over several connections at once.
      - JSON documents and, as long as no other process can write to them, SQLite databases are divided among the
        processes. PostgreSQL computes its digests itself.
      - The default is the number of cores available to the task, but at most 4. With V(1), a single process does
        everything and uses slightly less memory.
    type: int
"""

    SOURCE = r"""
options:
  source:
    description: The store to read. Required unless M(day2.ops.migrate) reverts a migration or upgrades a schema.
    type: dict
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections.
          - V(sqlite) is an SQLite 3 database whose tables are collections.
          - V(postgresql) is a schema of a PostgreSQL database (13 or newer). It requires psycopg 3 on the host.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), path of the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document represents values that JSON lacks.
          - V(plain) represents them as applications read and write them. Times are ISO 8601 strings, bytes are base64
            (or hex), and NaN and infinities are strings. No mapping has a special meaning. This is the default.
          - 'V(exact) represents them as mappings with one key, from which the original values can be restored, such as
            C({"$time": "2025-06-30T10:00:00Z"}), C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping in the
            data looks like one of these, another C($) is added to its key.'
          - If a field of the source contains text in some records and such values in others, a document written with
            V(plain) contains these mappings in that field, and a warning names the field.
        type: str
        choices: [plain, exact]
      bytes:
        description:
          - For a V(json) store that is written with O(source.values=plain), the text that represents bytes. The default
            is V(base64).
          - To migrate such text back to bytes, use O(day2.ops.migrate#module:types), for example V(bytea from hex).
        type: str
        choices: [base64, hex]
      database:
        description: For V(postgresql), name of the database.
        type: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description: For V(postgresql), role to connect as.
        type: str
      password:
        description:
          - For V(postgresql), password of the role. A password file (C(~/.pgpass)) on the host can be used instead.
        type: str
      schema:
        description: For V(postgresql), schema whose tables are the collections. The default is V(public).
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), prefix of the table names. The rest of a table name is the name of the collection.
        type: str
      tables:
        description: For V(dynamodb), mapping of collections to table names. Use either this or O(source.prefix).
        type: dict
      region:
        description: For V(dynamodb), AWS region.
        type: str
      endpoint_url:
        description: For V(dynamodb), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb), secret access key.
        type: str
      session_token:
        description: For V(dynamodb), session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to retry while throttled. The default is V(5m).
        type: str
"""

    INFO = r"""
options:
  source:
    description: The store to read.
    type: dict
    required: true
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections.
          - V(sqlite) is an SQLite 3 database whose tables are collections.
          - V(postgresql) is a schema of a PostgreSQL database (13 or newer). It requires psycopg 3 on the host.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), path of the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document represents values that JSON lacks.
          - V(plain) represents them as applications read and write them. Times are ISO 8601 strings, bytes are base64
            (or hex), and NaN and infinities are strings. No mapping has a special meaning. This is the default.
          - 'V(exact) represents them as mappings with one key, from which the original values can be restored, such as
            C({"$time": "2025-06-30T10:00:00Z"}), C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping in the
            data looks like one of these, another C($) is added to its key.'
          - If a field of the source contains text in some records and such values in others, a document written with
            V(plain) contains these mappings in that field, and a warning names the field.
        type: str
        choices: [plain, exact]
      bytes:
        description:
          - For a V(json) store that is written with O(source.values=plain), the text that represents bytes. The default
            is V(base64).
          - To migrate such text back to bytes, use O(day2.ops.migrate#module:types), for example V(bytea from hex).
        type: str
        choices: [base64, hex]
      database:
        description: For V(postgresql), name of the database.
        type: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description: For V(postgresql), role to connect as.
        type: str
      password:
        description:
          - For V(postgresql), password of the role. A password file (C(~/.pgpass)) on the host can be used instead.
        type: str
      schema:
        description: For V(postgresql), schema whose tables are the collections. The default is V(public).
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), prefix of the table names. The rest of a table name is the name of the collection.
        type: str
      tables:
        description: For V(dynamodb), mapping of collections to table names. Use either this or O(source.prefix).
        type: dict
      region:
        description: For V(dynamodb), AWS region.
        type: str
      endpoint_url:
        description: For V(dynamodb), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb), secret access key.
        type: str
      session_token:
        description: For V(dynamodb), session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to retry while throttled. The default is V(5m).
        type: str
"""

    STORE_INFO = r"""
options:
  store:
    description: The store.
    type: dict
    required: true
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections.
          - V(sqlite) is an SQLite 3 database whose tables are collections.
          - V(postgresql) is a schema of a PostgreSQL database (13 or newer). It requires psycopg 3 on the host.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), path of the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document represents values that JSON lacks.
          - V(plain) represents them as applications read and write them. Times are ISO 8601 strings, bytes are base64
            (or hex), and NaN and infinities are strings. No mapping has a special meaning. This is the default.
          - 'V(exact) represents them as mappings with one key, from which the original values can be restored, such as
            C({"$time": "2025-06-30T10:00:00Z"}), C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping in the
            data looks like one of these, another C($) is added to its key.'
          - If a field of the source contains text in some records and such values in others, a document written with
            V(plain) contains these mappings in that field, and a warning names the field.
        type: str
        choices: [plain, exact]
      bytes:
        description:
          - For a V(json) store that is written with O(store.values=plain), the text that represents bytes. The default
            is V(base64).
          - To migrate such text back to bytes, use O(day2.ops.migrate#module:types), for example V(bytea from hex).
        type: str
        choices: [base64, hex]
      database:
        description: For V(postgresql), name of the database.
        type: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description: For V(postgresql), role to connect as.
        type: str
      password:
        description:
          - For V(postgresql), password of the role. A password file (C(~/.pgpass)) on the host can be used instead.
        type: str
      schema:
        description: For V(postgresql), schema whose tables are the collections. The default is V(public).
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), prefix of the table names. The rest of a table name is the name of the collection.
        type: str
      tables:
        description: For V(dynamodb), mapping of collections to table names. Use either this or O(store.prefix).
        type: dict
      region:
        description: For V(dynamodb), AWS region.
        type: str
      endpoint_url:
        description: For V(dynamodb), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb), secret access key.
        type: str
      session_token:
        description: For V(dynamodb), session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to retry while throttled. The default is V(5m).
        type: str
"""

    OPTIMIZE = r"""
options:
  store:
    description: The database, of type V(sqlite) or V(postgresql).
    type: dict
    required: true
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections.
          - V(sqlite) is an SQLite 3 database whose tables are collections.
          - V(postgresql) is a schema of a PostgreSQL database (13 or newer). It requires psycopg 3 on the host.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), path of the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document represents values that JSON lacks.
          - V(plain) represents them as applications read and write them. Times are ISO 8601 strings, bytes are base64
            (or hex), and NaN and infinities are strings. No mapping has a special meaning. This is the default.
          - 'V(exact) represents them as mappings with one key, from which the original values can be restored, such as
            C({"$time": "2025-06-30T10:00:00Z"}), C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping in the
            data looks like one of these, another C($) is added to its key.'
          - If a field of the source contains text in some records and such values in others, a document written with
            V(plain) contains these mappings in that field, and a warning names the field.
        type: str
        choices: [plain, exact]
      bytes:
        description:
          - For a V(json) store that is written with O(store.values=plain), the text that represents bytes. The default
            is V(base64).
          - To migrate such text back to bytes, use O(day2.ops.migrate#module:types), for example V(bytea from hex).
        type: str
        choices: [base64, hex]
      database:
        description: For V(postgresql), name of the database.
        type: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description: For V(postgresql), role to connect as.
        type: str
      password:
        description:
          - For V(postgresql), password of the role. A password file (C(~/.pgpass)) on the host can be used instead.
        type: str
      schema:
        description: For V(postgresql), schema whose tables are the collections. The default is V(public).
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), prefix of the table names. The rest of a table name is the name of the collection.
        type: str
      tables:
        description: For V(dynamodb), mapping of collections to table names. Use either this or O(store.prefix).
        type: dict
      region:
        description: For V(dynamodb), AWS region.
        type: str
      endpoint_url:
        description: For V(dynamodb), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb), secret access key.
        type: str
      session_token:
        description: For V(dynamodb), session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to retry while throttled. The default is V(5m).
        type: str
"""

    RECORDS = r"""
options:
  store:
    description: The store with the records.
    type: dict
    required: true
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections.
          - V(sqlite) is an SQLite 3 database whose tables are collections.
          - V(postgresql) is a schema of a PostgreSQL database (13 or newer). It requires psycopg 3 on the host.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), path of the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document represents values that JSON lacks.
          - V(plain) represents them as applications read and write them. Times are ISO 8601 strings, bytes are base64
            (or hex), and NaN and infinities are strings. No mapping has a special meaning. This is the default.
          - 'V(exact) represents them as mappings with one key, from which the original values can be restored, such as
            C({"$time": "2025-06-30T10:00:00Z"}), C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping in the
            data looks like one of these, another C($) is added to its key.'
          - If a field of the source contains text in some records and such values in others, a document written with
            V(plain) contains these mappings in that field, and a warning names the field.
        type: str
        choices: [plain, exact]
      bytes:
        description:
          - For a V(json) store that is written with O(store.values=plain), the text that represents bytes. The default
            is V(base64).
          - To migrate such text back to bytes, use O(day2.ops.migrate#module:types), for example V(bytea from hex).
        type: str
        choices: [base64, hex]
      database:
        description: For V(postgresql), name of the database.
        type: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description: For V(postgresql), role to connect as.
        type: str
      password:
        description:
          - For V(postgresql), password of the role. A password file (C(~/.pgpass)) on the host can be used instead.
        type: str
      schema:
        description: For V(postgresql), schema whose tables are the collections. The default is V(public).
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), prefix of the table names. The rest of a table name is the name of the collection.
        type: str
      tables:
        description: For V(dynamodb), mapping of collections to table names. Use either this or O(store.prefix).
        type: dict
      region:
        description: For V(dynamodb), AWS region.
        type: str
      endpoint_url:
        description: For V(dynamodb), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb), secret access key.
        type: str
      session_token:
        description: For V(dynamodb), session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to retry while throttled. The default is V(5m).
        type: str
  collection:
    description: Name of the table, or of the top-level key of a document.
    type: str
    required: true
  key:
    description:
      - Fields that identify the records, for a table without a key, or a list in a document (by default, its records
        are identified by their positions).
    type: list
    elements: str
  where:
    description:
      - Conditions that records must meet, all of them. The default is all records.
      - 'A condition names a C(field) and one of the operators C(is), C(is_not), C(in), C(not_in), C(less), C(at_most),
        C(more), C(at_least), C(like) (with C(*) and C(?)), C(exists), C(older_than) and C(newer_than) (a duration such
        as V(90d), or a time), or it is C(any: [...]), C(all: [...]) or C(not: {...}).'
      - 'C(a.b) is the member C(b) of the field C(a). For a field that is null or missing, only C(exists: false), C(is:
        null), C(is_not) and C(not_in) hold. Text, numbers and booleans are never compared with each other. A field that
        no record has is an error.'
    type: list
    elements: dict
    default: []
"""

    LOGS = r"""
options:
  source:
    description: The store with the records, instead of O(paths). Nothing is ever written to it.
    type: dict
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections.
          - V(sqlite) is an SQLite 3 database whose tables are collections.
          - V(postgresql) is a schema of a PostgreSQL database (13 or newer). It requires psycopg 3 on the host.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
        type: str
        choices: [dynamodb, json, postgresql, sqlite]
        required: true
      path:
        description: For V(json) and V(sqlite), path of the file on the host.
        type: path
      values:
        description:
          - For V(json), how the document represents values that JSON lacks.
          - V(plain) represents them as applications read and write them. Times are ISO 8601 strings, bytes are base64
            (or hex), and NaN and infinities are strings. No mapping has a special meaning. This is the default.
          - 'V(exact) represents them as mappings with one key, from which the original values can be restored, such as
            C({"$time": "2025-06-30T10:00:00Z"}), C({"$bytes": "AAE="}) and C({"$number": "NaN"}). If a mapping in the
            data looks like one of these, another C($) is added to its key.'
          - If a field of the source contains text in some records and such values in others, a document written with
            V(plain) contains these mappings in that field, and a warning names the field.
        type: str
        choices: [plain, exact]
      bytes:
        description:
          - For a V(json) store that is written with O(source.values=plain), the text that represents bytes. The default
            is V(base64).
          - To migrate such text back to bytes, use O(day2.ops.migrate#module:types), for example V(bytea from hex).
        type: str
        choices: [base64, hex]
      database:
        description: For V(postgresql), name of the database.
        type: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description: For V(postgresql), role to connect as.
        type: str
      password:
        description:
          - For V(postgresql), password of the role. A password file (C(~/.pgpass)) on the host can be used instead.
        type: str
      schema:
        description: For V(postgresql), schema whose tables are the collections. The default is V(public).
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      prefix:
        description: For V(dynamodb), prefix of the table names. The rest of a table name is the name of the collection.
        type: str
      tables:
        description: For V(dynamodb), mapping of collections to table names. Use either this or O(source.prefix).
        type: dict
      region:
        description: For V(dynamodb), AWS region.
        type: str
      endpoint_url:
        description: For V(dynamodb), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb), secret access key.
        type: str
      session_token:
        description: For V(dynamodb), session token of temporary credentials.
        type: str
      throttle_timeout:
        description: For V(dynamodb), how long to retry while throttled. The default is V(5m).
        type: str
  collection:
    description: With O(source), name of the table, or of the top-level key of a document.
    type: str
  where:
    description:
      - Conditions that records must meet, all of them. The default is all records.
      - 'A condition names a C(field) and one of the operators C(is), C(is_not), C(in), C(not_in), C(less), C(at_most),
        C(more), C(at_least), C(like) (with C(*) and C(?)), C(exists), C(older_than) and C(newer_than) (a duration such
        as V(90d), or a time), or it is C(any: [...]), C(all: [...]) or C(not: {...}).'
      - 'C(a.b) is the member C(b) of the field C(a). For a field that is null or missing, only C(exists: false), C(is:
        null), C(is_not) and C(not_in) hold. Text, numbers and booleans are never compared with each other. A field that
        no record has is an error.'
    type: list
    elements: dict
    default: []
"""
