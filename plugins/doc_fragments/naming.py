# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the resources of an application are called, for filters and tests."""

from __future__ import annotations


class ModuleDocFragment:
    """See plugin_utils/naming.py."""

    DOCUMENTATION = r"""
options:
  naming:
    description:
      - Deviations from the default names, by entry.
      - V(patterns) are regular expressions that the whole name must match, V(prefixes) are the prefixes of names, and
        V(generators) the ways to generate them (V(uuid4_with_prefix), V(sequential_with_prefix) or
        V(name_with_prefix)), each by kind. Kinds in V(patterns) and V(generators) may end in C(_id).
      - The defaults are templates (V(template-NAME)), requests (V(req-UUID)), return requests (V(ret-UUID)), machines
        (V(machine-0001)) and the IDs of EC2 instances.
    type: dict
    default: {}
"""
