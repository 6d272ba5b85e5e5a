# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import yaml

from ansible_collections.day2.ops.plugins.doc_fragments.store import ModuleDocFragment


def test_the_suboptions_of_a_store_are_the_same_wherever_they_stand() -> None:
    texts = [
        option["suboptions"]
        for fragment in (ModuleDocFragment.SOURCE, ModuleDocFragment.TARGET)
        for option in yaml.safe_load(fragment)["options"].values()
    ]
    assert len(texts) == 4
    assert all(text == texts[0] for text in texts)
