"""Headers every answer carries."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class NoStore:
    """Pages hold the firm's figures: no cache may keep them. Static files never get here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response
