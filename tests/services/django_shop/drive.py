# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""drive.py prepare: both databases by the application's own migrations, SQLite with content. drive.py answers: what the
application answers from each of them, as two JSON lists of lines. drive.py go-on: what it can do on PostgreSQL then."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import os
import random
import sys
import uuid

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django

django.setup()

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import IntegrityError, models, transaction
from django.db.models import Count, Sum
from shop.models import Address, Category, Line, Order, Product, Tag

R = random.Random(5)
UTC = dt.timezone.utc if settings.USE_TZ else None
ATTRIBUTES = [
    *({}, [], "text", 1, 1.5, True, {"a": None, "b": [1, {"c": "\u00e9"}]}, {"z": 1, "a": 2}, "1"),
    *(models.Value(None, models.JSONField()), {"big": 12345678901234567890, "f": 1e300}, {"$time": "soonZ"}),
]


def prepare() -> None:
    call_command("migrate", verbosity=0)
    # other numbers than in SQLite
    for app in ("contenttypes", "shop", None):
        call_command("migrate", *([app] if app else []), database="postgresql", verbosity=0)
    with transaction.atomic():
        fill()


def fill() -> None:
    users = [User.objects.create_user(f"u{n}", f"u{n}@example.org", "x", is_staff=bool(n % 2)) for n in range(8)]
    group = Group.objects.create(name="Staff \u00e9\U0001f600")
    group.permissions.set(Permission.objects.all()[:7])
    users[3].groups.add(group)
    categories = [Category.objects.create(name=f"c{n}") for n in range(10)]
    for number, one in enumerate(categories[1:]):
        one.parent = categories[(number + 5) % 10]
        one.save()
    kind = ContentType.objects.get_for_model(User)
    tags = [Tag.objects.create(name=f"t{n}", content_type=kind, object_id=users[n % 8].id) for n in range(9)]
    for number in range(120):
        product(number, categories).tags.set(R.sample(tags, number % 3))
    products = list(Product.objects.all())
    for one in categories:
        one.best = R.choice(products)
        one.save()
    for number in range(50):
        total = R.choice([None, decimal.Decimal("1.100000"), decimal.Decimal("12345678901234.123456")])
        order = Order.objects.create(user=R.choice(users), total=total)
        for one in R.sample(products, 3):
            Line.objects.create(order=order, product=one, quantity=number)
    for user in users[:5]:
        Address.objects.create(user=user, street=f"S {user.id}")
    Order.objects.filter(id__gt=48).delete()  # the counter is beyond the highest number


def product(number: int, categories: list[Category]) -> Product:
    moment = dt.datetime(2024, 3, 1, 0, 59, 59, number, tzinfo=UTC) + dt.timedelta(hours=number * 7)
    return Product.objects.create(
        id=uuid.UUID(int=R.getrandbits(128)),
        category=R.choice(categories),
        name=f"tab\t nl\n back\\slash {number}" if number % 10 == 0 else f"p{number}",
        price=decimal.Decimal(R.randrange(10**11)).scaleb(-2),
        weight=R.choice([None, 0.1, 1e-300, 3.0, 2.5]),
        active=bool(number % 3),
        sold_out=R.choice([None, True, False]),
        attributes=ATTRIBUTES[number % len(ATTRIBUTES)],
        extra=R.choice([None, {"x": number}]),
        picture=R.choice([None, b"", b"\x00\xff\\x41"]),
        released=R.choice([None, dt.date(1, 1, 1), dt.date(2024, 2, 29), dt.date(9999, 12, 31)]),
        opens=R.choice([None, dt.time(8), dt.time(23, 59, 59, 999999)]),
        warranty=R.choice(
            [None, dt.timedelta(0), dt.timedelta(days=-1, microseconds=1), dt.timedelta(days=4000, seconds=3)]
        ),
        created=moment,
        stock=number % 32768,
        address=R.choice([None, "10.0.0.1", "2001:db8::1"]),
        slug=f"s-{number}",
    )


def told(value: object) -> str:
    """jsonb sorts names and writes 1e300 with 301 digits: by value."""
    if isinstance(value, memoryview):
        return repr(bytes(value))
    if isinstance(value, dict):
        return repr([(name, told(value[name])) for name in sorted(value)])
    if isinstance(value, list):
        return repr([told(one) for one in value])
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(float(value)) if abs(value) > 2**63 else repr(value)
    return repr(value)


def answers(database: str) -> list[str]:
    lines = []
    for model in sorted(apps.get_models(include_auto_created=True), key=lambda one: one._meta.db_table):
        names = [field.attname for field in model._meta.concrete_fields]
        rows = model.objects.using(database).values_list(*names)
        lines += sorted(f"{model._meta.db_table} {[told(value) for value in row]}" for row in rows)
    products = Product.objects.using(database)
    lines += map(
        told,
        [
            products.filter(active=True).count(),
            products.filter(sold_out=None).count(),
            products.filter(attributes__b__1__c="\u00e9").count(),
            products.filter(attributes__a=None).count(),
            products.filter(attributes=None).count(),
            products.filter(extra__isnull=True).count(),
            products.filter(created__year=2024, created__month=3).count(),
            products.filter(created__date="2024-03-31").count(),
            str(products.aggregate(sum=Sum("price"))["sum"].normalize()),
            list(products.order_by("price").values_list("slug", flat=True)[:5]),
            sorted(map(str, products.values_list("tags__name").annotate(Count("id")))),
            sorted(tag.about.username for tag in Tag.objects.using(database)),
            sorted(one.codename for one in Group.objects.using(database).get().permissions.all()),
        ],
    )
    return lines


def go_on() -> list[object]:
    """New numbers, and constraints that hold."""
    user = User.objects.using("postgresql").get(username="u0")
    done: list[object] = [
        Order.objects.using("postgresql").create(user=user).id,
        Category.objects.using("postgresql").create(name="new").id,
        user.check_password("x"),
    ]
    try:
        with transaction.atomic("postgresql"):
            Line.objects.using("postgresql").create(order_id=999999, product=Product.objects.first(), quantity=1)
    except IntegrityError:
        done.append("foreign keys hold")
    call_command("makemigrations", check=True, verbosity=0)
    return done


if sys.argv[1] == "prepare":
    prepare()
else:
    found = go_on() if sys.argv[1] == "go-on" else [answers("default"), answers("postgresql")]
    json.dump(found, sys.stdout)
