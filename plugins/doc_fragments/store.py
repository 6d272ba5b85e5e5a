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
        type: str
        choices: [files, json, sqlite]
        required: true
      path:
        description:
          - Path of the document, database or directory on the host. Symbolic links in directories that other users can
            write to are refused.
        type: path
        required: true
      name:
        description: Name of the store within the backup. The default is the last component of the path.
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
        type: list
        elements: str
      exclude:
        description: For V(files), globs of entries to exclude. Excluded directories are not entered.
        type: list
        elements: str
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
        type: str
        choices: [files, json, sqlite]
        required: true
      path:
        description:
          - Path of the document, database or directory on the host. Symbolic links in directories that other users can
            write to are refused.
        type: path
        required: true
      name:
        description: Name of the store within the backup. The default is the last component of the path.
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
        type: list
        elements: str
      exclude:
        description: For V(files), globs of entries to exclude. Excluded directories are not entered.
        type: list
        elements: str
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
        type: str
        choices: [files, json, sqlite]
        required: true
      path:
        description:
          - Path of the document, database or directory on the host. Symbolic links in directories that other users can
            write to are refused.
        type: path
        required: true
      name:
        description: Name of the store within the backup. The default is the last component of the path.
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
        type: list
        elements: str
      exclude:
        description: For V(files), globs of entries to exclude. Excluded directories are not entered.
        type: list
        elements: str
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
        type: str
        choices: [files, json, sqlite]
        required: true
      path:
        description:
          - Path of the document, database or directory on the host. Symbolic links in directories that other users can
            write to are refused.
        type: path
        required: true
      name:
        description: Name of the store within the backup. The default is the last component of the path.
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
        type: list
        elements: str
      exclude:
        description: For V(files), globs of entries to exclude. Excluded directories are not entered.
        type: list
        elements: str
"""
