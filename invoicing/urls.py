"""Addresses of invoicing."""

from django.urls import URLPattern

from invoicing.views_links import urlpatterns_links

app_name = "invoicing"

urlpatterns: list[URLPattern] = [*urlpatterns_links]
