# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two databases, SQLite and PostgreSQL, of one application."""

from __future__ import annotations

import os

SECRET_KEY = "test"
USE_TZ = os.environ.get("DAY2_USE_TZ", "1") == "1"
TIME_ZONE = "Europe/Berlin"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "shop"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DAY2_SQLITE"]},
    "postgresql": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("DAY2_HOST", ""),
        "USER": os.environ.get("DAY2_USER", ""),
        "NAME": os.environ.get("DAY2_DATABASE", ""),
    },
}
