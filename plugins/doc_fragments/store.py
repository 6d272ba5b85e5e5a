# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that define a store, for modules that read or write stores.

Written by "make docs" from dev/options/store.yml and the argument specs: ansible-test requires literal text.
"""

from __future__ import annotations


class ModuleDocFragment:
    SOURCE = r"""
options:
  source:
    description: The store to back up. Exactly one of O(source) and O(sources) is required.
    type: dict
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections, or a directory of such files.
          - V(sqlite) is an SQLite 3 database in any journal mode.
          - V(files) is a directory tree with links, owners, modes, times and extended attributes.
          - V(postgresql) is a PostgreSQL server (13 or newer), or some of its databases. It requires psycopg 3 and the
            client programs of PostgreSQL (C(pg_dump), not older than the server) on the host.
          - V(command) is any application with a program that dumps its data to standard output, and one that loads such
            a dump.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
          - V(ssm) is a set of parameters of AWS Systems Manager. It requires boto3 on the host.
        type: str
        choices: [command, dynamodb, files, json, postgresql, sqlite, ssm]
        required: true
      path:
        description:
          - Path of the document, database or directory on the host. Required, except for V(command), V(dynamodb),
            V(postgresql) and V(ssm). Symbolic links in directories that other users can write to are refused.
        type: path
      name:
        description:
          - Name of the store within the backup. The default is the last component of the path; for V(postgresql), the
            name of the database if it is one, otherwise C(postgresql); for V(command), the last argument of C(dump)
            that is not an option, otherwise the name of its program; for V(dynamodb) and V(ssm), the end of the prefix
            if it is set, otherwise the type.
        type: str
      layout:
        description:
          - For V(json), how the data is laid out. The default is V(single_file).
          - V(file_per_collection) is a directory with one file C(NAME.json) for each collection.
          - V(file_per_record) is a directory with one file C(COLLECTION/KEY.json) for each record.
        type: str
        choices: [single_file, file_per_collection, file_per_record]
      check:
        description:
          - For V(sqlite), how a backup (in a restore, the safety backup) is checked before it is published.
          - V(quick) runs C(PRAGMA quick_check). V(full) runs C(PRAGMA integrity_check), which compares each index with
            its table and, for a large database with indexes, takes much longer than the backup itself.
          - The default is V(full) for databases of up to 16 MiB, and V(quick) for larger ones. The manifest records
            which check was run.
        type: str
        choices: [full, quick]
      include:
        description:
          - For V(files), globs that select the content of the store. The default is everything. Globs are matched
            against paths relative to the directory. C(*) matches within one path component and C(**) across components.
            A glob without a slash matches names at any depth.
          - For V(ssm), globs that select parameters by their names without the prefix. C(*) matches slashes, too.
        type: list
        elements: str
      exclude:
        description:
          - For V(files), globs of entries to exclude. Excluded directories are not entered.
          - For V(ssm), globs of parameters to exclude.
        type: list
        elements: str
      database:
        description: For V(postgresql), name of the database, if the store is one database.
        type: str
      databases:
        description:
          - For V(postgresql), names of the databases.
          - The default is all databases of the server that accept connections and are not templates.
        type: list
        elements: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description:
          - For V(postgresql), role to connect as. It must have the privileges to read all tables, their rows and all
            sequences; otherwise, the backup is refused, and the message contains the required C(GRANT).
        type: str
      password:
        description:
          - For V(postgresql), password of the role. It is passed to client programs in a temporary password file. A
            password file (C(passfile), C(~/.pgpass)) on the host can be used instead.
        type: str
      passfile:
        description: For V(postgresql), path of a password file on the host. The default is C(~/.pgpass).
        type: path
      service:
        description:
          - For V(postgresql), name of an entry in the service file of libpq (C(~/.pg_service.conf)) on the host.
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description: For V(postgresql), path of a file with the certificates of trusted CAs.
        type: path
      sslcert:
        description: For V(postgresql), path of a client certificate.
        type: path
      sslkey:
        description: For V(postgresql), path of the key of the client certificate.
        type: path
      maintenance_database:
        description:
          - For V(postgresql), the database to connect to for queries about the whole server. The default is
            V(postgres).
        type: str
      tables:
        description:
          - For V(postgresql), globs C(schema.table) that select the tables whose rows are backed up. The default is
            all. The definitions of all tables are always backed up, as other objects can depend on them. A glob without
            a dot matches the names of tables in all schemas.
          - For V(dynamodb), globs that select tables by their names without the prefix. The default is all.
        type: dict
        suboptions:
          include:
            description: Globs of tables to include. A glob that matches no table is an error.
            type: list
            elements: str
          exclude:
            description: Globs of tables to exclude.
            type: list
            elements: str
      globals:
        description:
          - For V(postgresql), whether roles, settings of roles and tablespaces are backed up, too. The default is
            V(true).
          - Passwords of roles are only included with C(role_passwords=true).
        type: bool
      role_passwords:
        description:
          - For V(postgresql), whether to include the passwords of roles (as the server stores them). This requires an
            encrypted backup (C(encrypt_to), or C(engine=restic)) and a superuser. The default is V(false).
        type: bool
      jobs:
        description:
          - For V(postgresql), how many tables are read at the same time. The default is V(2). Databases smaller than 64
            MiB are read one table at a time. A backup needs one or two additional connections.
          - For V(dynamodb), how many calls are made at the same time. Tables are read one after another. The default is
            V(8).
          - For V(ssm), how many calls are made at the same time. The default is V(4).
        type: int
      bin:
        description:
          - For V(postgresql), directory of the client programs on the host. By default, those of the version of the
            server are used if they are installed, otherwise the next newer ones.
        type: path
      dump:
        description:
          - For V(command), the program that prints the content of the store, with its arguments, as a list. Required.
          - It is run as the user of the task and without a shell. It must exit with the status 0; a program that fails,
            is killed or prints less than C(min_bytes) produces no backup.
          - Its arguments are written to the manifest. Use C(environment) or C(stdin) for secrets.
        type: list
        elements: str
      verify:
        description:
          - For V(command), a program that reads a dump from its standard input, and fails if the dump is not usable. It
            is run for each backup, and before a restore changes anything.
        type: list
        elements: str
      fingerprint:
        description:
          - For V(command), a program that prints a short text that differs after each change of the content, such as
            the position in a log of changes. As long as the text is the same, the content is not dumped.
        type: list
        elements: str
      ignore:
        description:
          - For V(command), globs that match whole lines of the dump, such as dates in comments. Differences in these
            lines do not count as a change. The lines are part of the backup.
        type: list
        elements: str
      environment:
        description:
          - 'For V(command), variables for the programs, such as passwords. Values of five characters or more are
            secret: they are masked wherever they occur in results. For variables that are not secret use C(environment)
            of the task.'
        type: dict
      stdin:
        description:
          - For V(command), text that is passed to C(dump) and C(fingerprint) on their standard input, such as a
            password.
        type: str
      timeout:
        description:
          - For V(command), maximum run time of each program. After it, the program is killed, and the task fails. The
            default is V(24h).
        type: str
      min_bytes:
        description: For V(command), minimum size of a dump. The default is V(1).
        type: str
      restore:
        description:
          - For V(command), the program that loads a dump from its standard input, with its arguments, as a list.
            Required for the target of a restore; a backup does not use it.
          - Before anything is changed, the whole backup is read and verified, and C(dump) is run to compare the content
            and to keep a copy of it for the time of the task. If C(restore) fails, the copy is loaded in the same way.
            Unless C(swap) is set, the restore is not atomic, and the result says so.
          - Afterwards, C(dump) is run again. A difference from the backup is a warning.
        type: list
        elements: str
      swap:
        description:
          - For V(command), a program that activates the data that C(restore) has prepared elsewhere, for example by
            exchanging two directories or renaming a database.
        type: list
        elements: str
      discard:
        description: For V(command), a program that removes the prepared data if C(swap) was not run.
        type: list
        elements: str
      prefix:
        description:
          - For V(dynamodb) and V(ssm), prefix of the names of the tables or parameters, such as V(shop_) or V(/shop/).
            In a backup, names do not contain it, so that they can be restored with another prefix. By default, the
            store is all tables or parameters of the region.
        type: str
      with_secrets:
        description:
          - For V(ssm), whether the values of parameters of the type C(SecureString) are backed up and restored. This
            requires an encrypted backup (C(encrypt_to), or C(engine=restic)). The default is V(false); the task then
            warns of secrets.
        type: bool
      region:
        description:
          - For V(dynamodb) and V(ssm), AWS or parameters of the region. The default is that of the environment or of
            the profile.
        type: str
      endpoint_url:
        description: For V(dynamodb) and V(ssm), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb) and V(ssm), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb) and V(ssm), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb) and V(ssm), secret access key.
        type: str
      session_token:
        description: For V(dynamodb) and V(ssm), session token of temporary credentials.
        type: str
      throttle_timeout:
        description:
          - For V(dynamodb) and V(ssm), how long to retry while no call succeeds because calls are throttled, fail or
            get no response. The default is V(5m).
        type: str
      method:
        description:
          - For V(dynamodb), how tables are backed up. The default is V(export), which reads all items into the backup.
          - V(native) makes an on-demand backup of each table in AWS, and waits for it. The backup in the repository
            only refers to it (its C(kind) is V(reference)), and contains the settings that AWS does not restore. It
            can't be compared with the tables, so that C(max_age) is required. C(keep) removes the backups in AWS
            together with their references.
          - V(s3_export) exports the tables from point-in-time recovery to S3, which does not consume read capacity, and
            waits for it. The files in S3 are compared with the manifest of each export. The backup in the repository
            refers to the exports, as with V(native), and C(keep) removes their files.
        type: str
        choices: [export, native, s3_export]
      recovery_period:
        description:
          - For V(dynamodb) with C(method=native) or V(s3_export), how many days (1 to 35) the point-in-time recovery of
            the tables must reach back. It is switched on or changed if necessary. By default, it is left as it is.
        type: int
      export_to:
        description: For V(dynamodb) with C(method=s3_export), where AWS writes the exports.
        type: dict
        suboptions:
          bucket:
            description:
              - Name of the bucket. AWS must be allowed to write there with the credentials of the task. Required.
            type: str
          prefix:
            description: Prefix of the folder C(AWSDynamoDB) in the bucket.
            type: str
          endpoint_url:
            description: URL of the endpoint of S3, if it is not one of Amazon's. It is needed for restores, too.
            type: str
      full_every:
        description:
          - For V(dynamodb) with C(method=s3_export), make incremental exports, and a full one if the last full one is
            older than this, such as V(7d). By default, each export is full.
          - An incremental export covers at least 15 minutes. If a table was recreated, or its earlier exports are not
            complete, its export is a full one.
        type: str
      max_read_units:
        description:
          - For V(dynamodb), how many units of read capacity a backup or restore may consume per second, in all tables
            together (one unit reads 4 KiB). The default is no limit.
        type: int
      read_twice:
        description:
          - For V(dynamodb), whether a backup reads all tables a second time, to find out whether they were written to
            while they were read. If so, the task warns, and with C(strict=true) it fails. The default is V(true).
          - DynamoDB has no snapshots, so a backup of a table that is written to is not of a single point in time.
        type: bool
  sources:
    description:
      - The stores to back up together, for an application that keeps its state in several stores. All are written to
        one backup.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections, or a directory of such files.
          - V(sqlite) is an SQLite 3 database in any journal mode.
          - V(files) is a directory tree with links, owners, modes, times and extended attributes.
          - V(postgresql) is a PostgreSQL server (13 or newer), or some of its databases. It requires psycopg 3 and the
            client programs of PostgreSQL (C(pg_dump), not older than the server) on the host.
          - V(command) is any application with a program that dumps its data to standard output, and one that loads such
            a dump.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
          - V(ssm) is a set of parameters of AWS Systems Manager. It requires boto3 on the host.
        type: str
        choices: [command, dynamodb, files, json, postgresql, sqlite, ssm]
        required: true
      path:
        description:
          - Path of the document, database or directory on the host. Required, except for V(command), V(dynamodb),
            V(postgresql) and V(ssm). Symbolic links in directories that other users can write to are refused.
        type: path
      name:
        description:
          - Name of the store within the backup. The default is the last component of the path; for V(postgresql), the
            name of the database if it is one, otherwise C(postgresql); for V(command), the last argument of C(dump)
            that is not an option, otherwise the name of its program; for V(dynamodb) and V(ssm), the end of the prefix
            if it is set, otherwise the type.
        type: str
      layout:
        description:
          - For V(json), how the data is laid out. The default is V(single_file).
          - V(file_per_collection) is a directory with one file C(NAME.json) for each collection.
          - V(file_per_record) is a directory with one file C(COLLECTION/KEY.json) for each record.
        type: str
        choices: [single_file, file_per_collection, file_per_record]
      check:
        description:
          - For V(sqlite), how a backup (in a restore, the safety backup) is checked before it is published.
          - V(quick) runs C(PRAGMA quick_check). V(full) runs C(PRAGMA integrity_check), which compares each index with
            its table and, for a large database with indexes, takes much longer than the backup itself.
          - The default is V(full) for databases of up to 16 MiB, and V(quick) for larger ones. The manifest records
            which check was run.
        type: str
        choices: [full, quick]
      include:
        description:
          - For V(files), globs that select the content of the store. The default is everything. Globs are matched
            against paths relative to the directory. C(*) matches within one path component and C(**) across components.
            A glob without a slash matches names at any depth.
          - For V(ssm), globs that select parameters by their names without the prefix. C(*) matches slashes, too.
        type: list
        elements: str
      exclude:
        description:
          - For V(files), globs of entries to exclude. Excluded directories are not entered.
          - For V(ssm), globs of parameters to exclude.
        type: list
        elements: str
      database:
        description: For V(postgresql), name of the database, if the store is one database.
        type: str
      databases:
        description:
          - For V(postgresql), names of the databases.
          - The default is all databases of the server that accept connections and are not templates.
        type: list
        elements: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description:
          - For V(postgresql), role to connect as. It must have the privileges to read all tables, their rows and all
            sequences; otherwise, the backup is refused, and the message contains the required C(GRANT).
        type: str
      password:
        description:
          - For V(postgresql), password of the role. It is passed to client programs in a temporary password file. A
            password file (C(passfile), C(~/.pgpass)) on the host can be used instead.
        type: str
      passfile:
        description: For V(postgresql), path of a password file on the host. The default is C(~/.pgpass).
        type: path
      service:
        description:
          - For V(postgresql), name of an entry in the service file of libpq (C(~/.pg_service.conf)) on the host.
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description: For V(postgresql), path of a file with the certificates of trusted CAs.
        type: path
      sslcert:
        description: For V(postgresql), path of a client certificate.
        type: path
      sslkey:
        description: For V(postgresql), path of the key of the client certificate.
        type: path
      maintenance_database:
        description:
          - For V(postgresql), the database to connect to for queries about the whole server. The default is
            V(postgres).
        type: str
      tables:
        description:
          - For V(postgresql), globs C(schema.table) that select the tables whose rows are backed up. The default is
            all. The definitions of all tables are always backed up, as other objects can depend on them. A glob without
            a dot matches the names of tables in all schemas.
          - For V(dynamodb), globs that select tables by their names without the prefix. The default is all.
        type: dict
        suboptions:
          include:
            description: Globs of tables to include. A glob that matches no table is an error.
            type: list
            elements: str
          exclude:
            description: Globs of tables to exclude.
            type: list
            elements: str
      globals:
        description:
          - For V(postgresql), whether roles, settings of roles and tablespaces are backed up, too. The default is
            V(true).
          - Passwords of roles are only included with C(role_passwords=true).
        type: bool
      role_passwords:
        description:
          - For V(postgresql), whether to include the passwords of roles (as the server stores them). This requires an
            encrypted backup (C(encrypt_to), or C(engine=restic)) and a superuser. The default is V(false).
        type: bool
      jobs:
        description:
          - For V(postgresql), how many tables are read at the same time. The default is V(2). Databases smaller than 64
            MiB are read one table at a time. A backup needs one or two additional connections.
          - For V(dynamodb), how many calls are made at the same time. Tables are read one after another. The default is
            V(8).
          - For V(ssm), how many calls are made at the same time. The default is V(4).
        type: int
      bin:
        description:
          - For V(postgresql), directory of the client programs on the host. By default, those of the version of the
            server are used if they are installed, otherwise the next newer ones.
        type: path
      dump:
        description:
          - For V(command), the program that prints the content of the store, with its arguments, as a list. Required.
          - It is run as the user of the task and without a shell. It must exit with the status 0; a program that fails,
            is killed or prints less than C(min_bytes) produces no backup.
          - Its arguments are written to the manifest. Use C(environment) or C(stdin) for secrets.
        type: list
        elements: str
      verify:
        description:
          - For V(command), a program that reads a dump from its standard input, and fails if the dump is not usable. It
            is run for each backup, and before a restore changes anything.
        type: list
        elements: str
      fingerprint:
        description:
          - For V(command), a program that prints a short text that differs after each change of the content, such as
            the position in a log of changes. As long as the text is the same, the content is not dumped.
        type: list
        elements: str
      ignore:
        description:
          - For V(command), globs that match whole lines of the dump, such as dates in comments. Differences in these
            lines do not count as a change. The lines are part of the backup.
        type: list
        elements: str
      environment:
        description:
          - 'For V(command), variables for the programs, such as passwords. Values of five characters or more are
            secret: they are masked wherever they occur in results. For variables that are not secret use C(environment)
            of the task.'
        type: dict
      stdin:
        description:
          - For V(command), text that is passed to C(dump) and C(fingerprint) on their standard input, such as a
            password.
        type: str
      timeout:
        description:
          - For V(command), maximum run time of each program. After it, the program is killed, and the task fails. The
            default is V(24h).
        type: str
      min_bytes:
        description: For V(command), minimum size of a dump. The default is V(1).
        type: str
      restore:
        description:
          - For V(command), the program that loads a dump from its standard input, with its arguments, as a list.
            Required for the target of a restore; a backup does not use it.
          - Before anything is changed, the whole backup is read and verified, and C(dump) is run to compare the content
            and to keep a copy of it for the time of the task. If C(restore) fails, the copy is loaded in the same way.
            Unless C(swap) is set, the restore is not atomic, and the result says so.
          - Afterwards, C(dump) is run again. A difference from the backup is a warning.
        type: list
        elements: str
      swap:
        description:
          - For V(command), a program that activates the data that C(restore) has prepared elsewhere, for example by
            exchanging two directories or renaming a database.
        type: list
        elements: str
      discard:
        description: For V(command), a program that removes the prepared data if C(swap) was not run.
        type: list
        elements: str
      prefix:
        description:
          - For V(dynamodb) and V(ssm), prefix of the names of the tables or parameters, such as V(shop_) or V(/shop/).
            In a backup, names do not contain it, so that they can be restored with another prefix. By default, the
            store is all tables or parameters of the region.
        type: str
      with_secrets:
        description:
          - For V(ssm), whether the values of parameters of the type C(SecureString) are backed up and restored. This
            requires an encrypted backup (C(encrypt_to), or C(engine=restic)). The default is V(false); the task then
            warns of secrets.
        type: bool
      region:
        description:
          - For V(dynamodb) and V(ssm), AWS or parameters of the region. The default is that of the environment or of
            the profile.
        type: str
      endpoint_url:
        description: For V(dynamodb) and V(ssm), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb) and V(ssm), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb) and V(ssm), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb) and V(ssm), secret access key.
        type: str
      session_token:
        description: For V(dynamodb) and V(ssm), session token of temporary credentials.
        type: str
      throttle_timeout:
        description:
          - For V(dynamodb) and V(ssm), how long to retry while no call succeeds because calls are throttled, fail or
            get no response. The default is V(5m).
        type: str
      method:
        description:
          - For V(dynamodb), how tables are backed up. The default is V(export), which reads all items into the backup.
          - V(native) makes an on-demand backup of each table in AWS, and waits for it. The backup in the repository
            only refers to it (its C(kind) is V(reference)), and contains the settings that AWS does not restore. It
            can't be compared with the tables, so that C(max_age) is required. C(keep) removes the backups in AWS
            together with their references.
          - V(s3_export) exports the tables from point-in-time recovery to S3, which does not consume read capacity, and
            waits for it. The files in S3 are compared with the manifest of each export. The backup in the repository
            refers to the exports, as with V(native), and C(keep) removes their files.
        type: str
        choices: [export, native, s3_export]
      recovery_period:
        description:
          - For V(dynamodb) with C(method=native) or V(s3_export), how many days (1 to 35) the point-in-time recovery of
            the tables must reach back. It is switched on or changed if necessary. By default, it is left as it is.
        type: int
      export_to:
        description: For V(dynamodb) with C(method=s3_export), where AWS writes the exports.
        type: dict
        suboptions:
          bucket:
            description:
              - Name of the bucket. AWS must be allowed to write there with the credentials of the task. Required.
            type: str
          prefix:
            description: Prefix of the folder C(AWSDynamoDB) in the bucket.
            type: str
          endpoint_url:
            description: URL of the endpoint of S3, if it is not one of Amazon's. It is needed for restores, too.
            type: str
      full_every:
        description:
          - For V(dynamodb) with C(method=s3_export), make incremental exports, and a full one if the last full one is
            older than this, such as V(7d). By default, each export is full.
          - An incremental export covers at least 15 minutes. If a table was recreated, or its earlier exports are not
            complete, its export is a full one.
        type: str
      max_read_units:
        description:
          - For V(dynamodb), how many units of read capacity a backup or restore may consume per second, in all tables
            together (one unit reads 4 KiB). The default is no limit.
        type: int
      read_twice:
        description:
          - For V(dynamodb), whether a backup reads all tables a second time, to find out whether they were written to
            while they were read. If so, the task warns, and with C(strict=true) it fails. The default is V(true).
          - DynamoDB has no snapshots, so a backup of a table that is written to is not of a single point in time.
        type: bool
"""

    TARGET = r"""
options:
  target:
    description: The store to restore. Exactly one of O(target) and O(targets) is required.
    type: dict
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections, or a directory of such files.
          - V(sqlite) is an SQLite 3 database in any journal mode.
          - V(files) is a directory tree with links, owners, modes, times and extended attributes.
          - V(postgresql) is a PostgreSQL server (13 or newer), or some of its databases. It requires psycopg 3 and the
            client programs of PostgreSQL (C(pg_dump), not older than the server) on the host.
          - V(command) is any application with a program that dumps its data to standard output, and one that loads such
            a dump.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
          - V(ssm) is a set of parameters of AWS Systems Manager. It requires boto3 on the host.
        type: str
        choices: [command, dynamodb, files, json, postgresql, sqlite, ssm]
        required: true
      path:
        description:
          - Path of the document, database or directory on the host. Required, except for V(command), V(dynamodb),
            V(postgresql) and V(ssm). Symbolic links in directories that other users can write to are refused.
        type: path
      name:
        description:
          - Name of the store within the backup. The default is the last component of the path; for V(postgresql), the
            name of the database if it is one, otherwise C(postgresql); for V(command), the last argument of C(dump)
            that is not an option, otherwise the name of its program; for V(dynamodb) and V(ssm), the end of the prefix
            if it is set, otherwise the type.
        type: str
      layout:
        description:
          - For V(json), how the data is laid out. The default is V(single_file).
          - V(file_per_collection) is a directory with one file C(NAME.json) for each collection.
          - V(file_per_record) is a directory with one file C(COLLECTION/KEY.json) for each record.
        type: str
        choices: [single_file, file_per_collection, file_per_record]
      check:
        description:
          - For V(sqlite), how a backup (in a restore, the safety backup) is checked before it is published.
          - V(quick) runs C(PRAGMA quick_check). V(full) runs C(PRAGMA integrity_check), which compares each index with
            its table and, for a large database with indexes, takes much longer than the backup itself.
          - The default is V(full) for databases of up to 16 MiB, and V(quick) for larger ones. The manifest records
            which check was run.
        type: str
        choices: [full, quick]
      include:
        description:
          - For V(files), globs that select the content of the store. The default is everything. Globs are matched
            against paths relative to the directory. C(*) matches within one path component and C(**) across components.
            A glob without a slash matches names at any depth.
          - For V(ssm), globs that select parameters by their names without the prefix. C(*) matches slashes, too.
        type: list
        elements: str
      exclude:
        description:
          - For V(files), globs of entries to exclude. Excluded directories are not entered.
          - For V(ssm), globs of parameters to exclude.
        type: list
        elements: str
      database:
        description: For V(postgresql), name of the database, if the store is one database.
        type: str
      databases:
        description:
          - For V(postgresql), names of the databases.
          - The default is all databases of the server that accept connections and are not templates.
        type: list
        elements: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description:
          - For V(postgresql), role to connect as. It must have the privileges to read all tables, their rows and all
            sequences; otherwise, the backup is refused, and the message contains the required C(GRANT).
        type: str
      password:
        description:
          - For V(postgresql), password of the role. It is passed to client programs in a temporary password file. A
            password file (C(passfile), C(~/.pgpass)) on the host can be used instead.
        type: str
      passfile:
        description: For V(postgresql), path of a password file on the host. The default is C(~/.pgpass).
        type: path
      service:
        description:
          - For V(postgresql), name of an entry in the service file of libpq (C(~/.pg_service.conf)) on the host.
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description: For V(postgresql), path of a file with the certificates of trusted CAs.
        type: path
      sslcert:
        description: For V(postgresql), path of a client certificate.
        type: path
      sslkey:
        description: For V(postgresql), path of the key of the client certificate.
        type: path
      maintenance_database:
        description:
          - For V(postgresql), the database to connect to for queries about the whole server. The default is
            V(postgres).
        type: str
      tables:
        description:
          - For V(postgresql), globs C(schema.table) that select the tables whose rows are backed up. The default is
            all. The definitions of all tables are always backed up, as other objects can depend on them. A glob without
            a dot matches the names of tables in all schemas.
          - For V(dynamodb), globs that select tables by their names without the prefix. The default is all.
        type: dict
        suboptions:
          include:
            description: Globs of tables to include. A glob that matches no table is an error.
            type: list
            elements: str
          exclude:
            description: Globs of tables to exclude.
            type: list
            elements: str
      globals:
        description:
          - For V(postgresql), whether roles, settings of roles and tablespaces are backed up, too. The default is
            V(true).
          - Passwords of roles are only included with C(role_passwords=true).
        type: bool
      role_passwords:
        description:
          - For V(postgresql), whether to include the passwords of roles (as the server stores them). This requires an
            encrypted backup (C(encrypt_to), or C(engine=restic)) and a superuser. The default is V(false).
        type: bool
      jobs:
        description:
          - For V(postgresql), how many tables are read at the same time. The default is V(2). Databases smaller than 64
            MiB are read one table at a time. A backup needs one or two additional connections.
          - For V(dynamodb), how many calls are made at the same time. Tables are read one after another. The default is
            V(8).
          - For V(ssm), how many calls are made at the same time. The default is V(4).
        type: int
      bin:
        description:
          - For V(postgresql), directory of the client programs on the host. By default, those of the version of the
            server are used if they are installed, otherwise the next newer ones.
        type: path
      dump:
        description:
          - For V(command), the program that prints the content of the store, with its arguments, as a list. Required.
          - It is run as the user of the task and without a shell. It must exit with the status 0; a program that fails,
            is killed or prints less than C(min_bytes) produces no backup.
          - Its arguments are written to the manifest. Use C(environment) or C(stdin) for secrets.
        type: list
        elements: str
      verify:
        description:
          - For V(command), a program that reads a dump from its standard input, and fails if the dump is not usable. It
            is run for each backup, and before a restore changes anything.
        type: list
        elements: str
      fingerprint:
        description:
          - For V(command), a program that prints a short text that differs after each change of the content, such as
            the position in a log of changes. As long as the text is the same, the content is not dumped.
        type: list
        elements: str
      ignore:
        description:
          - For V(command), globs that match whole lines of the dump, such as dates in comments. Differences in these
            lines do not count as a change. The lines are part of the backup.
        type: list
        elements: str
      environment:
        description:
          - 'For V(command), variables for the programs, such as passwords. Values of five characters or more are
            secret: they are masked wherever they occur in results. For variables that are not secret use C(environment)
            of the task.'
        type: dict
      stdin:
        description:
          - For V(command), text that is passed to C(dump) and C(fingerprint) on their standard input, such as a
            password.
        type: str
      timeout:
        description:
          - For V(command), maximum run time of each program. After it, the program is killed, and the task fails. The
            default is V(24h).
        type: str
      min_bytes:
        description: For V(command), minimum size of a dump. The default is V(1).
        type: str
      restore:
        description:
          - For V(command), the program that loads a dump from its standard input, with its arguments, as a list.
            Required for the target of a restore; a backup does not use it.
          - Before anything is changed, the whole backup is read and verified, and C(dump) is run to compare the content
            and to keep a copy of it for the time of the task. If C(restore) fails, the copy is loaded in the same way.
            Unless C(swap) is set, the restore is not atomic, and the result says so.
          - Afterwards, C(dump) is run again. A difference from the backup is a warning.
        type: list
        elements: str
      swap:
        description:
          - For V(command), a program that activates the data that C(restore) has prepared elsewhere, for example by
            exchanging two directories or renaming a database.
        type: list
        elements: str
      discard:
        description: For V(command), a program that removes the prepared data if C(swap) was not run.
        type: list
        elements: str
      prefix:
        description:
          - For V(dynamodb) and V(ssm), prefix of the names of the tables or parameters, such as V(shop_) or V(/shop/).
            In a backup, names do not contain it, so that they can be restored with another prefix. By default, the
            store is all tables or parameters of the region.
        type: str
      with_secrets:
        description:
          - For V(ssm), whether the values of parameters of the type C(SecureString) are backed up and restored. This
            requires an encrypted backup (C(encrypt_to), or C(engine=restic)). The default is V(false); the task then
            warns of secrets.
        type: bool
      region:
        description:
          - For V(dynamodb) and V(ssm), AWS or parameters of the region. The default is that of the environment or of
            the profile.
        type: str
      endpoint_url:
        description: For V(dynamodb) and V(ssm), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb) and V(ssm), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb) and V(ssm), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb) and V(ssm), secret access key.
        type: str
      session_token:
        description: For V(dynamodb) and V(ssm), session token of temporary credentials.
        type: str
      throttle_timeout:
        description:
          - For V(dynamodb) and V(ssm), how long to retry while no call succeeds because calls are throttled, fail or
            get no response. The default is V(5m).
        type: str
      method:
        description:
          - For V(dynamodb), how tables are backed up. The default is V(export), which reads all items into the backup.
          - V(native) makes an on-demand backup of each table in AWS, and waits for it. The backup in the repository
            only refers to it (its C(kind) is V(reference)), and contains the settings that AWS does not restore. It
            can't be compared with the tables, so that C(max_age) is required. C(keep) removes the backups in AWS
            together with their references.
          - V(s3_export) exports the tables from point-in-time recovery to S3, which does not consume read capacity, and
            waits for it. The files in S3 are compared with the manifest of each export. The backup in the repository
            refers to the exports, as with V(native), and C(keep) removes their files.
        type: str
        choices: [export, native, s3_export]
      recovery_period:
        description:
          - For V(dynamodb) with C(method=native) or V(s3_export), how many days (1 to 35) the point-in-time recovery of
            the tables must reach back. It is switched on or changed if necessary. By default, it is left as it is.
        type: int
      export_to:
        description: For V(dynamodb) with C(method=s3_export), where AWS writes the exports.
        type: dict
        suboptions:
          bucket:
            description:
              - Name of the bucket. AWS must be allowed to write there with the credentials of the task. Required.
            type: str
          prefix:
            description: Prefix of the folder C(AWSDynamoDB) in the bucket.
            type: str
          endpoint_url:
            description: URL of the endpoint of S3, if it is not one of Amazon's. It is needed for restores, too.
            type: str
      full_every:
        description:
          - For V(dynamodb) with C(method=s3_export), make incremental exports, and a full one if the last full one is
            older than this, such as V(7d). By default, each export is full.
          - An incremental export covers at least 15 minutes. If a table was recreated, or its earlier exports are not
            complete, its export is a full one.
        type: str
      max_read_units:
        description:
          - For V(dynamodb), how many units of read capacity a backup or restore may consume per second, in all tables
            together (one unit reads 4 KiB). The default is no limit.
        type: int
      read_twice:
        description:
          - For V(dynamodb), whether a backup reads all tables a second time, to find out whether they were written to
            while they were read. If so, the task warns, and with C(strict=true) it fails. The default is V(true).
          - DynamoDB has no snapshots, so a backup of a table that is written to is not of a single point in time.
        type: bool
      from_database:
        description:
          - For V(postgresql), the database in the backup that is restored to C(database). By default, each database is
            restored to the one of the same name; if the backup has only one, it is restored to C(database).
        type: str
      disconnect:
        description:
          - For V(postgresql), whether to end all connections to a database at the moment when it is replaced. By
            default, the restore is refused with a list of the connections.
          - Clients can connect again at once. What they write between the safety backup and that moment is lost.
        type: bool
      owner:
        description:
          - For V(postgresql), the owner of restored objects. The default is V(keep), the owners in the backup, with
            their privileges and tablespaces; if the server lacks a role, the restore is refused before anything is
            changed.
          - With V(none), all objects belong to the role of C(username), without privileges of other roles, in the
            default tablespace.
          - With V(map), roles are replaced according to C(owner_map).
          - The owner, privileges, settings and comment of an existing database itself are always kept.
        type: str
        choices: [keep, map, none]
      owner_map:
        description: 'For V(postgresql) with C(owner=map), the new role for each role in the backup, as C({old: new}).'
        type: dict
      compare:
        description:
          - For V(postgresql), how the rows of a restored database are compared with the backup before it takes its
            place. The default is V(digests). V(counts) only counts them, which is faster; files of the backup are
            verified in any case.
        type: str
        choices: [counts, digests]
      data_directory:
        description:
          - For V(postgresql) with C(repository=pgbackrest), the new data directory on this host for the server as it
            was. The directory above it must belong to the user of the server. Its tablespaces are put into
            C(DIRECTORY.tablespaces), which must not exist. If the server in use has tablespaces that were created after
            the base backup, root and the right to mount directories (C(unshare --mount)) are required.
        type: path
      keep_running:
        description:
          - For V(postgresql) with C(repository=pgbackrest), whether the restored server is left running. The default is
            V(true).
        type: bool
      restore_time:
        description:
          - For V(dynamodb) and a backup that was made with C(method=native), the time as of which AWS restores the
            tables by point-in-time recovery, in ISO 8601. The tables and their settings are those of the backup. By
            default, the backups in AWS are restored.
        type: str
      overrides:
        description:
          - 'For V(dynamodb) and a backup that was made with C(method=native), parameters of C(RestoreTableFromBackup)
            or C(RestoreTableToPointInTime) whose names end in C(Override), such as C({BillingModeOverride:
            PAY_PER_REQUEST}).'
        type: dict
      timeline:
        description:
          - For V(postgresql) with C(repository=pgbackrest), the timeline to follow. The default is the newest. When a
            server was restored to an earlier time, its later writes before that restore are on the previous timeline.
        type: int
      schema:
        description:
          - For V(postgresql) and single tables (C(only)), the schema that they are restored to. The default is their
            own. Tables in the schema in use are neither changed nor locked, so that both can be compared.
          - With C(with_schema), missing tables are created there, and the schema itself if it does not exist. They
            bring along the types, functions, operators and sequences of their schema that they need, but no objects of
            extensions in that schema. Partitions become tables of their own. Foreign keys to tables that are not in
            C(only), and publications, are left out; a warning names them. The role must own both schemas.
        type: str
      with_schema:
        description:
          - For V(postgresql) and single tables (C(only)), whether tables that do not exist, or have other columns than
            in the backup, are created as in the backup, with their sequences, indexes, constraints, triggers and
            privileges.
          - The types, functions and tables that they refer to must exist. Tables on which views or foreign keys of
            other tables depend are not recreated; the error names these.
        type: bool
  targets:
    description:
      - The stores to restore together, for an application that keeps its state in several stores. All are read from one
        backup.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - Type of the store.
          - V(json) is a document whose top-level keys are collections, or a directory of such files.
          - V(sqlite) is an SQLite 3 database in any journal mode.
          - V(files) is a directory tree with links, owners, modes, times and extended attributes.
          - V(postgresql) is a PostgreSQL server (13 or newer), or some of its databases. It requires psycopg 3 and the
            client programs of PostgreSQL (C(pg_dump), not older than the server) on the host.
          - V(command) is any application with a program that dumps its data to standard output, and one that loads such
            a dump.
          - V(dynamodb) is a set of DynamoDB tables. It requires boto3 on the host.
          - V(ssm) is a set of parameters of AWS Systems Manager. It requires boto3 on the host.
        type: str
        choices: [command, dynamodb, files, json, postgresql, sqlite, ssm]
        required: true
      path:
        description:
          - Path of the document, database or directory on the host. Required, except for V(command), V(dynamodb),
            V(postgresql) and V(ssm). Symbolic links in directories that other users can write to are refused.
        type: path
      name:
        description:
          - Name of the store within the backup. The default is the last component of the path; for V(postgresql), the
            name of the database if it is one, otherwise C(postgresql); for V(command), the last argument of C(dump)
            that is not an option, otherwise the name of its program; for V(dynamodb) and V(ssm), the end of the prefix
            if it is set, otherwise the type.
        type: str
      layout:
        description:
          - For V(json), how the data is laid out. The default is V(single_file).
          - V(file_per_collection) is a directory with one file C(NAME.json) for each collection.
          - V(file_per_record) is a directory with one file C(COLLECTION/KEY.json) for each record.
        type: str
        choices: [single_file, file_per_collection, file_per_record]
      check:
        description:
          - For V(sqlite), how a backup (in a restore, the safety backup) is checked before it is published.
          - V(quick) runs C(PRAGMA quick_check). V(full) runs C(PRAGMA integrity_check), which compares each index with
            its table and, for a large database with indexes, takes much longer than the backup itself.
          - The default is V(full) for databases of up to 16 MiB, and V(quick) for larger ones. The manifest records
            which check was run.
        type: str
        choices: [full, quick]
      include:
        description:
          - For V(files), globs that select the content of the store. The default is everything. Globs are matched
            against paths relative to the directory. C(*) matches within one path component and C(**) across components.
            A glob without a slash matches names at any depth.
          - For V(ssm), globs that select parameters by their names without the prefix. C(*) matches slashes, too.
        type: list
        elements: str
      exclude:
        description:
          - For V(files), globs of entries to exclude. Excluded directories are not entered.
          - For V(ssm), globs of parameters to exclude.
        type: list
        elements: str
      database:
        description: For V(postgresql), name of the database, if the store is one database.
        type: str
      databases:
        description:
          - For V(postgresql), names of the databases.
          - The default is all databases of the server that accept connections and are not templates.
        type: list
        elements: str
      host:
        description:
          - For V(postgresql), name of the server, or directory of its socket. Parameters that are not set use the
            defaults of libpq.
        type: str
      port:
        description: For V(postgresql), port of the server.
        type: int
      username:
        description:
          - For V(postgresql), role to connect as. It must have the privileges to read all tables, their rows and all
            sequences; otherwise, the backup is refused, and the message contains the required C(GRANT).
        type: str
      password:
        description:
          - For V(postgresql), password of the role. It is passed to client programs in a temporary password file. A
            password file (C(passfile), C(~/.pgpass)) on the host can be used instead.
        type: str
      passfile:
        description: For V(postgresql), path of a password file on the host. The default is C(~/.pgpass).
        type: path
      service:
        description:
          - For V(postgresql), name of an entry in the service file of libpq (C(~/.pg_service.conf)) on the host.
        type: str
      sslmode:
        description:
          - For V(postgresql), whether the connection is encrypted and the certificate of the server is verified.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description: For V(postgresql), path of a file with the certificates of trusted CAs.
        type: path
      sslcert:
        description: For V(postgresql), path of a client certificate.
        type: path
      sslkey:
        description: For V(postgresql), path of the key of the client certificate.
        type: path
      maintenance_database:
        description:
          - For V(postgresql), the database to connect to for queries about the whole server. The default is
            V(postgres).
        type: str
      tables:
        description:
          - For V(postgresql), globs C(schema.table) that select the tables whose rows are backed up. The default is
            all. The definitions of all tables are always backed up, as other objects can depend on them. A glob without
            a dot matches the names of tables in all schemas.
          - For V(dynamodb), globs that select tables by their names without the prefix. The default is all.
        type: dict
        suboptions:
          include:
            description: Globs of tables to include. A glob that matches no table is an error.
            type: list
            elements: str
          exclude:
            description: Globs of tables to exclude.
            type: list
            elements: str
      globals:
        description:
          - For V(postgresql), whether roles, settings of roles and tablespaces are backed up, too. The default is
            V(true).
          - Passwords of roles are only included with C(role_passwords=true).
        type: bool
      role_passwords:
        description:
          - For V(postgresql), whether to include the passwords of roles (as the server stores them). This requires an
            encrypted backup (C(encrypt_to), or C(engine=restic)) and a superuser. The default is V(false).
        type: bool
      jobs:
        description:
          - For V(postgresql), how many tables are read at the same time. The default is V(2). Databases smaller than 64
            MiB are read one table at a time. A backup needs one or two additional connections.
          - For V(dynamodb), how many calls are made at the same time. Tables are read one after another. The default is
            V(8).
          - For V(ssm), how many calls are made at the same time. The default is V(4).
        type: int
      bin:
        description:
          - For V(postgresql), directory of the client programs on the host. By default, those of the version of the
            server are used if they are installed, otherwise the next newer ones.
        type: path
      dump:
        description:
          - For V(command), the program that prints the content of the store, with its arguments, as a list. Required.
          - It is run as the user of the task and without a shell. It must exit with the status 0; a program that fails,
            is killed or prints less than C(min_bytes) produces no backup.
          - Its arguments are written to the manifest. Use C(environment) or C(stdin) for secrets.
        type: list
        elements: str
      verify:
        description:
          - For V(command), a program that reads a dump from its standard input, and fails if the dump is not usable. It
            is run for each backup, and before a restore changes anything.
        type: list
        elements: str
      fingerprint:
        description:
          - For V(command), a program that prints a short text that differs after each change of the content, such as
            the position in a log of changes. As long as the text is the same, the content is not dumped.
        type: list
        elements: str
      ignore:
        description:
          - For V(command), globs that match whole lines of the dump, such as dates in comments. Differences in these
            lines do not count as a change. The lines are part of the backup.
        type: list
        elements: str
      environment:
        description:
          - 'For V(command), variables for the programs, such as passwords. Values of five characters or more are
            secret: they are masked wherever they occur in results. For variables that are not secret use C(environment)
            of the task.'
        type: dict
      stdin:
        description:
          - For V(command), text that is passed to C(dump) and C(fingerprint) on their standard input, such as a
            password.
        type: str
      timeout:
        description:
          - For V(command), maximum run time of each program. After it, the program is killed, and the task fails. The
            default is V(24h).
        type: str
      min_bytes:
        description: For V(command), minimum size of a dump. The default is V(1).
        type: str
      restore:
        description:
          - For V(command), the program that loads a dump from its standard input, with its arguments, as a list.
            Required for the target of a restore; a backup does not use it.
          - Before anything is changed, the whole backup is read and verified, and C(dump) is run to compare the content
            and to keep a copy of it for the time of the task. If C(restore) fails, the copy is loaded in the same way.
            Unless C(swap) is set, the restore is not atomic, and the result says so.
          - Afterwards, C(dump) is run again. A difference from the backup is a warning.
        type: list
        elements: str
      swap:
        description:
          - For V(command), a program that activates the data that C(restore) has prepared elsewhere, for example by
            exchanging two directories or renaming a database.
        type: list
        elements: str
      discard:
        description: For V(command), a program that removes the prepared data if C(swap) was not run.
        type: list
        elements: str
      prefix:
        description:
          - For V(dynamodb) and V(ssm), prefix of the names of the tables or parameters, such as V(shop_) or V(/shop/).
            In a backup, names do not contain it, so that they can be restored with another prefix. By default, the
            store is all tables or parameters of the region.
        type: str
      with_secrets:
        description:
          - For V(ssm), whether the values of parameters of the type C(SecureString) are backed up and restored. This
            requires an encrypted backup (C(encrypt_to), or C(engine=restic)). The default is V(false); the task then
            warns of secrets.
        type: bool
      region:
        description:
          - For V(dynamodb) and V(ssm), AWS or parameters of the region. The default is that of the environment or of
            the profile.
        type: str
      endpoint_url:
        description: For V(dynamodb) and V(ssm), URL of the endpoint, if it is not one of Amazon's.
        type: str
      profile:
        description: For V(dynamodb) and V(ssm), profile in the AWS configuration of the host.
        type: str
      access_key_id:
        description: For V(dynamodb) and V(ssm), access key ID. If not set, boto3 looks up credentials as usual.
        type: str
      secret_access_key:
        description: For V(dynamodb) and V(ssm), secret access key.
        type: str
      session_token:
        description: For V(dynamodb) and V(ssm), session token of temporary credentials.
        type: str
      throttle_timeout:
        description:
          - For V(dynamodb) and V(ssm), how long to retry while no call succeeds because calls are throttled, fail or
            get no response. The default is V(5m).
        type: str
      method:
        description:
          - For V(dynamodb), how tables are backed up. The default is V(export), which reads all items into the backup.
          - V(native) makes an on-demand backup of each table in AWS, and waits for it. The backup in the repository
            only refers to it (its C(kind) is V(reference)), and contains the settings that AWS does not restore. It
            can't be compared with the tables, so that C(max_age) is required. C(keep) removes the backups in AWS
            together with their references.
          - V(s3_export) exports the tables from point-in-time recovery to S3, which does not consume read capacity, and
            waits for it. The files in S3 are compared with the manifest of each export. The backup in the repository
            refers to the exports, as with V(native), and C(keep) removes their files.
        type: str
        choices: [export, native, s3_export]
      recovery_period:
        description:
          - For V(dynamodb) with C(method=native) or V(s3_export), how many days (1 to 35) the point-in-time recovery of
            the tables must reach back. It is switched on or changed if necessary. By default, it is left as it is.
        type: int
      export_to:
        description: For V(dynamodb) with C(method=s3_export), where AWS writes the exports.
        type: dict
        suboptions:
          bucket:
            description:
              - Name of the bucket. AWS must be allowed to write there with the credentials of the task. Required.
            type: str
          prefix:
            description: Prefix of the folder C(AWSDynamoDB) in the bucket.
            type: str
          endpoint_url:
            description: URL of the endpoint of S3, if it is not one of Amazon's. It is needed for restores, too.
            type: str
      full_every:
        description:
          - For V(dynamodb) with C(method=s3_export), make incremental exports, and a full one if the last full one is
            older than this, such as V(7d). By default, each export is full.
          - An incremental export covers at least 15 minutes. If a table was recreated, or its earlier exports are not
            complete, its export is a full one.
        type: str
      max_read_units:
        description:
          - For V(dynamodb), how many units of read capacity a backup or restore may consume per second, in all tables
            together (one unit reads 4 KiB). The default is no limit.
        type: int
      read_twice:
        description:
          - For V(dynamodb), whether a backup reads all tables a second time, to find out whether they were written to
            while they were read. If so, the task warns, and with C(strict=true) it fails. The default is V(true).
          - DynamoDB has no snapshots, so a backup of a table that is written to is not of a single point in time.
        type: bool
      from_database:
        description:
          - For V(postgresql), the database in the backup that is restored to C(database). By default, each database is
            restored to the one of the same name; if the backup has only one, it is restored to C(database).
        type: str
      disconnect:
        description:
          - For V(postgresql), whether to end all connections to a database at the moment when it is replaced. By
            default, the restore is refused with a list of the connections.
          - Clients can connect again at once. What they write between the safety backup and that moment is lost.
        type: bool
      owner:
        description:
          - For V(postgresql), the owner of restored objects. The default is V(keep), the owners in the backup, with
            their privileges and tablespaces; if the server lacks a role, the restore is refused before anything is
            changed.
          - With V(none), all objects belong to the role of C(username), without privileges of other roles, in the
            default tablespace.
          - With V(map), roles are replaced according to C(owner_map).
          - The owner, privileges, settings and comment of an existing database itself are always kept.
        type: str
        choices: [keep, map, none]
      owner_map:
        description: 'For V(postgresql) with C(owner=map), the new role for each role in the backup, as C({old: new}).'
        type: dict
      compare:
        description:
          - For V(postgresql), how the rows of a restored database are compared with the backup before it takes its
            place. The default is V(digests). V(counts) only counts them, which is faster; files of the backup are
            verified in any case.
        type: str
        choices: [counts, digests]
      data_directory:
        description:
          - For V(postgresql) with C(repository=pgbackrest), the new data directory on this host for the server as it
            was. The directory above it must belong to the user of the server. Its tablespaces are put into
            C(DIRECTORY.tablespaces), which must not exist. If the server in use has tablespaces that were created after
            the base backup, root and the right to mount directories (C(unshare --mount)) are required.
        type: path
      keep_running:
        description:
          - For V(postgresql) with C(repository=pgbackrest), whether the restored server is left running. The default is
            V(true).
        type: bool
      restore_time:
        description:
          - For V(dynamodb) and a backup that was made with C(method=native), the time as of which AWS restores the
            tables by point-in-time recovery, in ISO 8601. The tables and their settings are those of the backup. By
            default, the backups in AWS are restored.
        type: str
      overrides:
        description:
          - 'For V(dynamodb) and a backup that was made with C(method=native), parameters of C(RestoreTableFromBackup)
            or C(RestoreTableToPointInTime) whose names end in C(Override), such as C({BillingModeOverride:
            PAY_PER_REQUEST}).'
        type: dict
      timeline:
        description:
          - For V(postgresql) with C(repository=pgbackrest), the timeline to follow. The default is the newest. When a
            server was restored to an earlier time, its later writes before that restore are on the previous timeline.
        type: int
      schema:
        description:
          - For V(postgresql) and single tables (C(only)), the schema that they are restored to. The default is their
            own. Tables in the schema in use are neither changed nor locked, so that both can be compared.
          - With C(with_schema), missing tables are created there, and the schema itself if it does not exist. They
            bring along the types, functions, operators and sequences of their schema that they need, but no objects of
            extensions in that schema. Partitions become tables of their own. Foreign keys to tables that are not in
            C(only), and publications, are left out; a warning names them. The role must own both schemas.
        type: str
      with_schema:
        description:
          - For V(postgresql) and single tables (C(only)), whether tables that do not exist, or have other columns than
            in the backup, are created as in the backup, with their sequences, indexes, constraints, triggers and
            privileges.
          - The types, functions and tables that they refer to must exist. Tables on which views or foreign keys of
            other tables depend are not recreated; the error names these.
        type: bool
"""
