# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the module jobs needs between AnsibleModule and its verb: a validator for the arguments of each job."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import AnsibleValidationError, UnsupportedError

from ._core.addresses import secrets_in_addresses
from ._core.errors import InvalidRequest
from ._core.paths import check_paths
from ._core.progress import Progress
from ._core.specs import secrets_in
from ._module_run import Verb, named, unmask_short
from ._verbs import jobs


def verb_of(module: AnsibleModule) -> Verb:
    """The verb of the module: it runs the jobs in its parameters."""
    return functools.partial(_run, module)


def _run(module: AnsibleModule, params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    result = jobs.run(params, check, progress, functools.partial(_read, module))
    for one in result["results"]:
        one["msg"] = one["result"]["msg"] = named(one["msg"])
    return result


def _read(module: AnsibleModule, arguments: Mapping[str, Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments of one job, converted as those of a module are. Raises InvalidRequest."""
    spec = arguments["argument_spec"]
    module.no_log_values |= secrets_in(spec, given) | secrets_in_addresses(given)
    relations = {name: value for name, value in arguments.items() if name not in ("argument_spec", "no_log")}
    checked = ArgumentSpecValidator(spec, **relations).validate(dict(given))
    if checked.error_messages:
        raise InvalidRequest("; ".join(map(_sentence, checked.errors)) + ".")
    values: Mapping[str, Any] = checked.validated_parameters
    module.no_log_values |= secrets_in(spec, values)
    unmask_short(module.no_log_values, values)
    check_paths(spec, values)
    return values


def _sentence(error: AnsibleValidationError) -> str:
    text = str(error).rstrip(".")
    return f"Unsupported options: {text}" if isinstance(error, UnsupportedError) else text
