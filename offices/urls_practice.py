"""Addresses below one practice."""

from django.urls import path

from offices import views, views_people

urlpatterns = [
    path("", views.practice, name="practice"),
    path("people/", views_people.list_people, name="people"),
    path("people/<int:member_id>/", views_people.person, name="person"),
    path("people/<int:member_id>/forget-app/", views_people.forget_app, name="forget_app"),
    path("people/<int:member_id>/password/", views_people.new_password, name="new_password"),
    path("people/<int:member_id>/remove/", views_people.remove, name="remove_person"),
    path("support-access/", views.support, name="support"),
    path("support-access/<int:grant_id>/end/", views.end_support, name="end_support"),
    path("api-keys/", views.keys, name="keys"),
    path("api-keys/<str:prefix>/revoke/", views.revoke_key, name="revoke_key"),
]
