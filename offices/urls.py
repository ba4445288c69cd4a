"""Addresses of people and practices."""

from django.urls import include, path

from offices import views

app_name = "offices"

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("<slug:practice_slug>/", include("offices.urls_practice")),
]
