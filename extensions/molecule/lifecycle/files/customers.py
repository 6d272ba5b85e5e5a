# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""customers.py make|show: the database of dotmac's customers."""

import json
import sqlite3
import sys

database = sqlite3.connect("/var/lib/dotmac/dotmac.db")
if sys.argv[1] == "make":
    database.execute(
        "CREATE TABLE customers (username TEXT PRIMARY KEY, email TEXT NOT NULL, first_name TEXT, last_name TEXT,"
        " user_type TEXT, verified BOOLEAN, lifecycle_stage TEXT)"
    )
    database.commit()
else:
    events = []
    if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'customer_events'").fetchone():
        events = database.execute("SELECT transition, outcome FROM customer_events ORDER BY id").fetchall()
    customers = database.execute("SELECT username, email, verified, lifecycle_stage FROM customers").fetchall()
    print(json.dumps({"customers": customers, "events": events}))
