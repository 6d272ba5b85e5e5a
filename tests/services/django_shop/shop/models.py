# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What applications make of Django's fields and relations."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import User
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Category(models.Model):
    """Refers to itself, and in a circle to products."""

    name = models.CharField(max_length=50, unique=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE)
    best = models.ForeignKey("Product", null=True, on_delete=models.SET_NULL, related_name="+")


class Tag(models.Model):
    """Of anything: the numbers of content types differ by database."""

    name = models.CharField(max_length=30)
    object_id = models.PositiveIntegerField(null=True)
    content_type = models.ForeignKey(ContentType, null=True, on_delete=models.CASCADE)
    about = GenericForeignKey("content_type", "object_id")


class Product(models.Model):
    """A field of each type."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    category = models.ForeignKey(Category, on_delete=models.PROTECT)
    name = models.CharField(max_length=80)
    price = models.DecimalField(max_digits=12, decimal_places=2)
    weight = models.FloatField(null=True)
    active = models.BooleanField(default=True)
    sold_out = models.BooleanField(null=True)
    attributes = models.JSONField(default=dict)
    extra = models.JSONField(null=True)
    picture = models.BinaryField(null=True)
    released = models.DateField(null=True)
    opens = models.TimeField(null=True)
    warranty = models.DurationField(null=True)
    created = models.DateTimeField()
    stock = models.PositiveSmallIntegerField(default=0)
    address = models.GenericIPAddressField(null=True)
    slug = models.SlugField(unique=True)
    tags = models.ManyToManyField(Tag)

    class Meta:
        constraints = [models.CheckConstraint(check=models.Q(price__gte=0), name="price_not_negative")]


class Order(models.Model):
    """Many to many through a table of its own."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    products = models.ManyToManyField(Product, through="Line")
    placed = models.DateTimeField(auto_now_add=True)
    total = models.DecimalField(max_digits=20, decimal_places=6, null=True)


class Line(models.Model):
    """A product of an order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
    quantity = models.IntegerField()


class Address(models.Model):
    """A key that is another's, and a column with a space."""

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE)
    street = models.CharField(max_length=100, db_column="Street Name")
