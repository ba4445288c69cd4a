"""Addresses of interfaces."""

from django.urls import URLPattern

app_name = "interfaces"

urlpatterns: list[URLPattern] = []
