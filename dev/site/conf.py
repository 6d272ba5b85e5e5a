# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx: the manual. dev/site/build.py copies the pages beside it."""

from __future__ import annotations

project = "day2.ops"
copyright = "2026, day2.ops contributors"
extensions = ["myst_parser", "sphinx_antsibull_ext", "sphinx_copybutton"]
html_theme = "furo"
html_title = "day2.ops"
# The reference's own colours do not follow the theme between light and dark.
antsibull_ext_color_scheme = "none"
html_theme_options = {
    "light_css_variables": {
        "antsibull-links-background": "#0b6a6c",
        "antsibull-links-background-active": "#0a5254",
        "antsibull-links-focus-outline": "#5bbdbf",
        "antsibull-links-text": "#ffffff",
        "antsibull-table-background-header": "var(--color-background-hover)",
        "antsibull-table-background-even": "var(--color-background-secondary)",
        "antsibull-table-background-odd": "var(--color-background-primary)",
        "antsibull-table-border": "var(--color-background-border)",
        "antsibull-narrowtable-background": "var(--color-background-secondary)",
        "antsibull-option-type": "#800080",
        "antsibull-option-elements": "#800080",
        "antsibull-option-required": "#b00000",
        "antsibull-option-version-added": "#006400",
        "antsibull-option-aliases": "#006400",
        "antsibull-option-default": "#0000c0",
        "antsibull-option-sample": "#0000c0",
        "antsibull-option-sample-header": "var(--color-foreground-primary)",
        "antsibull-attribute-support-none": "#b00000",
        "antsibull-attribute-support-partial": "#6a5a00",
        "antsibull-attribute-support-full": "#006400",
        "antsibull-attribute-support-na": "inherit",
        "antsibull-deprecation-border": "var(--color-foreground-border)",
        "antsibull-deprecation-background": "var(--color-background-secondary)",
        "antsibull-deprecation-color": "var(--color-foreground-primary)",
    },
    "dark_css_variables": {
        "antsibull-option-type": "#ff93ff",
        "antsibull-option-elements": "#ff93ff",
        "antsibull-option-required": "#ff8282",
        "antsibull-option-version-added": "#71d471",
        "antsibull-option-aliases": "#71d471",
        "antsibull-option-default": "#adadff",
        "antsibull-option-sample": "#adadff",
        "antsibull-attribute-support-none": "#ff8282",
        "antsibull-attribute-support-partial": "#d0c000",
        "antsibull-attribute-support-full": "#71d471",
    },
}
html_static_path = html_css_files = ["narrow.css"]
myst_heading_anchors = 4
copybutton_prompt_text = "$ "
nitpicky = True
# Pages of Ansible itself, which the reference names.
nitpick_ignore = [
    ("std:ref", "common_return_values"),
    ("std:ref", "action_plugins"),
    ("std:ref", "ansible_configuration_settings"),
]
nitpick_ignore_regex = [("std:ref", r"ansible_collections\.ansible\.builtin\..*")]
