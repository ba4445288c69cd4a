"""Addresses below one practice."""

from django.urls import path

from offices import views

urlpatterns = [
    path("", views.practice, name="practice"),
    path("support-access/", views.support, name="support"),
    path("support-access/<int:grant_id>/end/", views.end_support, name="end_support"),
    path("api-keys/", views.keys, name="keys"),
    path("api-keys/<str:prefix>/revoke/", views.revoke_key, name="revoke_key"),
]
