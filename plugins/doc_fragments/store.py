# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that name a store, for what reads stores and for what writes them.

ansible-test wants literal text, so the suboptions stand here four times; a unit test holds the
four equal. Sanity tests hold them to the stores' own argument specs.
"""

from __future__ import annotations


class ModuleDocFragment:
    """`source`/`sources` of what reads stores, `target`/`targets` of what writes them."""

    SOURCE = r"""
options:
  source:
    description: The store to back up. Exactly one of O(source) and O(sources) is required.
    type: dict
    suboptions:
      type:
        description:
          - What kind of store it is.
          - V(json), a document whose top-level keys are collections, or a directory of such files.
          - V(sqlite), a database of SQLite 3, in any journal mode.
          - V(files), a directory tree with links, owners, modes, times and extended attributes.
        type: str
        choices: [files, json, sqlite]
        required: true
      path:
        description: The document, database or directory on the host. A symbolic link in a directory that others can write is refused.
        type: path
        required: true
      name:
        description: The store's name within the backup. The default is the last part of the path.
        type: str
      layout:
        description:
          - For V(json), how the data lies there, V(single_file) being the default.
          - V(file_per_collection), a directory with one C(NAME.json) a collection.
          - V(file_per_record), a directory with one C(COLLECTION/KEY.json) a record.
        type: str
        choices: [single_file, file_per_collection, file_per_record]
      check:
        description:
          - For V(sqlite), how a backup (in a restore the safety backup) is checked before it is published.
          - V(quick) is C(PRAGMA quick_check). V(full) is C(PRAGMA integrity_check), which compares each index with its table
            and takes much longer than the backup of a large database with indexes.
          - The default is V(full) for databases of up to 16 MiB, and V(quick) for larger ones. The manifest says which was made.
        type: str
        choices: [full, quick]
      include:
        description:
          - For V(files), globs of what belongs to the store; the default is everything. They are matched with paths relative to the
            directory, C(*) within one name and C(**) across names; a glob without a slash matches names at any depth.
        type: list
        elements: str
      exclude:
        description: For V(files), globs of what does not belong to it. An excluded directory is not entered.
        type: list
        elements: str
  sources:
    description:
      - The stores to back up, when an application keeps its state in several; one backup holds them all.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - What kind of store it is.
          - V(json), a document whose top-level keys are collections, or a directory of such files.
          - V(sqlite), a database of SQLite 3, in any journal mode.
          - V(files), a directory tree with links, owners, modes, times and extended attributes.
        type: str
        choices: [files, json, sqlite]
        required: true
      path:
        description: The document, database or directory on the host. A symbolic link in a directory that others can write is refused.
        type: path
        required: true
      name:
        description: The store's name within the backup. The default is the last part of the path.
        type: str
      layout:
        description:
          - For V(json), how the data lies there, V(single_file) being the default.
          - V(file_per_collection), a directory with one C(NAME.json) a collection.
          - V(file_per_record), a directory with one C(COLLECTION/KEY.json) a record.
        type: str
        choices: [single_file, file_per_collection, file_per_record]
      check:
        description:
          - For V(sqlite), how a backup (in a restore the safety backup) is checked before it is published.
          - V(quick) is C(PRAGMA quick_check). V(full) is C(PRAGMA integrity_check), which compares each index with its table
            and takes much longer than the backup of a large database with indexes.
          - The default is V(full) for databases of up to 16 MiB, and V(quick) for larger ones. The manifest says which was made.
        type: str
        choices: [full, quick]
      include:
        description:
          - For V(files), globs of what belongs to the store; the default is everything. They are matched with paths relative to the
            directory, C(*) within one name and C(**) across names; a glob without a slash matches names at any depth.
        type: list
        elements: str
      exclude:
        description: For V(files), globs of what does not belong to it. An excluded directory is not entered.
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
          - What kind of store it is.
          - V(json), a document whose top-level keys are collections, or a directory of such files.
          - V(sqlite), a database of SQLite 3, in any journal mode.
          - V(files), a directory tree with links, owners, modes, times and extended attributes.
        type: str
        choices: [files, json, sqlite]
        required: true
      path:
        description: The document, database or directory on the host. A symbolic link in a directory that others can write is refused.
        type: path
        required: true
      name:
        description: The store's name within the backup. The default is the last part of the path.
        type: str
      layout:
        description:
          - For V(json), how the data lies there, V(single_file) being the default.
          - V(file_per_collection), a directory with one C(NAME.json) a collection.
          - V(file_per_record), a directory with one C(COLLECTION/KEY.json) a record.
        type: str
        choices: [single_file, file_per_collection, file_per_record]
      check:
        description:
          - For V(sqlite), how a backup (in a restore the safety backup) is checked before it is published.
          - V(quick) is C(PRAGMA quick_check). V(full) is C(PRAGMA integrity_check), which compares each index with its table
            and takes much longer than the backup of a large database with indexes.
          - The default is V(full) for databases of up to 16 MiB, and V(quick) for larger ones. The manifest says which was made.
        type: str
        choices: [full, quick]
      include:
        description:
          - For V(files), globs of what belongs to the store; the default is everything. They are matched with paths relative to the
            directory, C(*) within one name and C(**) across names; a glob without a slash matches names at any depth.
        type: list
        elements: str
      exclude:
        description: For V(files), globs of what does not belong to it. An excluded directory is not entered.
        type: list
        elements: str
  targets:
    description:
      - The stores to restore, when an application keeps its state in several; one backup holds them all.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - What kind of store it is.
          - V(json), a document whose top-level keys are collections, or a directory of such files.
          - V(sqlite), a database of SQLite 3, in any journal mode.
          - V(files), a directory tree with links, owners, modes, times and extended attributes.
        type: str
        choices: [files, json, sqlite]
        required: true
      path:
        description: The document, database or directory on the host. A symbolic link in a directory that others can write is refused.
        type: path
        required: true
      name:
        description: The store's name within the backup. The default is the last part of the path.
        type: str
      layout:
        description:
          - For V(json), how the data lies there, V(single_file) being the default.
          - V(file_per_collection), a directory with one C(NAME.json) a collection.
          - V(file_per_record), a directory with one C(COLLECTION/KEY.json) a record.
        type: str
        choices: [single_file, file_per_collection, file_per_record]
      check:
        description:
          - For V(sqlite), how a backup (in a restore the safety backup) is checked before it is published.
          - V(quick) is C(PRAGMA quick_check). V(full) is C(PRAGMA integrity_check), which compares each index with its table
            and takes much longer than the backup of a large database with indexes.
          - The default is V(full) for databases of up to 16 MiB, and V(quick) for larger ones. The manifest says which was made.
        type: str
        choices: [full, quick]
      include:
        description:
          - For V(files), globs of what belongs to the store; the default is everything. They are matched with paths relative to the
            directory, C(*) within one name and C(**) across names; a glob without a slash matches names at any depth.
        type: list
        elements: str
      exclude:
        description: For V(files), globs of what does not belong to it. An excluded directory is not entered.
        type: list
        elements: str
"""
