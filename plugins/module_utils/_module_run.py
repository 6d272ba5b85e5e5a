# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only file between verbs and AnsibleModule: passes arguments in, and results and errors out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible.module_utils.common.parameters import remove_values

from . import _zip_cache
from ._core.addresses import secrets_in_addresses
from ._core.errors import MissingDependency, TaskEnded, explained
from ._core.paths import check_paths
from ._core.progress import VARIABLE, Progress
from ._core.shown import shown, shown_text

_SHORTEST_SECRET = 5  # characters

Verb = Callable[[Mapping[str, Any], bool, Progress], dict[str, Any]]


def run(
    module: AnsibleModule, verb: Verb, echo: Optional[Callable[[Mapping[str, Any]], dict[str, Any]]] = None
) -> None:
    """Run a verb with the parameters of the module; never returns.

    :param echo: turns the parameters into what the result shows as its invocation.
    """
    params = module.params
    module.no_log_values |= secrets_in_addresses(params)
    unmask_short(module.no_log_values, params)
    if echo is not None:
        module.params = echo(params)
    progress = Progress(os.environ.get(VARIABLE, ""), lambda text: str(remove_values(text, module.no_log_values)))
    try:
        check_paths(module.argument_spec, params)
        result = verb(params, module.check_mode, progress)
    except MissingDependency as exc:
        module.fail_json(msg=named(shown_text(f"{missing_required_lib(exc.name, reason=exc.reason)} {exc.hint}")))
    except TaskEnded as exc:
        details = shown(exc.details)
        _warn(module, details)
        module.fail_json(msg=named(shown_text(explained(exc))), **details)
    finally:
        progress.close()
    if result.get("changed") and not module.check_mode:  # who changes nothing writes nothing, not even this
        _zip_cache.keep()
    result = shown(result)
    _warn(module, result)
    if "msg" in result:
        result["msg"] = named(result["msg"])
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def unmask_short(masked: set[str], params: Any) -> None:
    """Do not mask short values of variables for programs (`environment`): they are settings rather than secrets, and
    results in which each 1 or yes is replaced can't be read."""
    if isinstance(params, Mapping):
        variables = params.get("environment")
        if isinstance(variables, Mapping):
            masked.difference_update(text for text in map(str, variables.values()) if len(text) < _SHORTEST_SECRET)
        params = list(params.values())
    if isinstance(params, list):
        for one in params:
            if isinstance(one, (dict, list)):
                unmask_short(masked, one)


def _warn(module: AnsibleModule, result: dict[str, Any]) -> None:
    for warning in result.pop("warnings", []):
        module.warn(named(warning))


def named(message: str) -> str:
    """The message for the user of a role, if the module runs in one: with variables of the role instead of options."""
    value = os.environ.get("DAY2_ROLE_VARIABLES", "")
    if not value:
        return message
    from ._core.role_variables import with_role_variables  # only here: most tasks run in no role

    return with_role_variables(message, value)
