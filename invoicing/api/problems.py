"""How the API says that something is wrong: always the same shape, every problem at once."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.signals import got_request_exception
from django.db import OperationalError
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    ErrorDetail,
    MethodNotAllowed,
    NotAcceptable,
    NotAuthenticated,
    UnsupportedMediaType,
    ValidationError,
)
from rest_framework.exceptions import PermissionDenied as FrameworkPermissionDenied
from rest_framework.response import Response
from rest_framework.settings import api_settings

log = logging.getLogger("invoicing.api")

BUSY_SECONDS = 5
# Where the framework leaves no other place for words of ours.
OURS = {
    "surrogate_characters_not_allowed": "This holds half a character. Send the text as UTF-8.",
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What may be done instead, and by which call, where it is one."""

    do: str
    method: str = ""
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong: where, such as `rows[3].lines[1].net`, and what, in words."""

    path: str
    code: str
    message: str
    choices: tuple[Choice, ...] = ()


class Problems(APIException):
    """The call is refused as a whole; nothing of it was stored."""

    status_code: int = status.HTTP_400_BAD_REQUEST

    def __init__(self, problems: Sequence[Problem], *, code: int | None = None) -> None:
        super().__init__()
        self.problems = problems
        if code is not None:
            self.status_code = code


class TooLarge(Problems):
    """More than one call may carry."""

    status_code: int = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__([Problem(path=path, code="too_large", message=message)])


def explain(error: Exception, context: Mapping[str, Any]) -> Response:
    """The answer to any error of the API: {"problems": [{"path", "code", "message"}, …]}."""
    headers: dict[str, str] = {}
    if isinstance(error, Problems):
        return _response(error.problems, error.status_code, headers)
    if isinstance(error, ValidationError):
        return _response(list(from_detail(error.detail)), error.status_code, headers)
    if isinstance(error, RequestDataTooBig):
        return explain(TooLarge("The call is larger than this server takes. Split it."), context)
    if isinstance(error, Http404):
        return _one("not_found", "There is nothing at this address.", 404)
    if isinstance(error, (PermissionDenied, FrameworkPermissionDenied)):
        return _one("permission_denied", "This key may not do that.", 403)
    if isinstance(error, APIException):
        return _of_framework(error, context)
    return _our_fault(error, context)


def from_detail(detail: Any, path: str = "") -> Iterator[Problem]:
    """The framework's nested error details, flattened to one problem each."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from from_detail(inner, join(path, name))
    elif isinstance(detail, (list, tuple)):
        for index, inner in enumerate(detail):
            here = path if isinstance(inner, ErrorDetail) else join(path, index)
            yield from from_detail(inner, here)
    else:
        code = getattr(detail, "code", "") or "invalid"
        yield Problem(path=path, code=code, message=OURS.get(code, str(detail)))


def join(path: str, name: str | int) -> str:
    """The path one step further in."""
    if isinstance(name, int):
        return f"{path}[{name}]"
    if name == api_settings.NON_FIELD_ERRORS_KEY:
        return path
    return f"{path}.{printable(name)}" if path else printable(name)


def printable(text: str, *, most: int = 60) -> str:
    """The text as it may be given back: nothing that breaks a line, a log or an encoding."""
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return shown if len(shown) <= most else f"{shown[:most]}…"


def _of_framework(error: APIException, context: Mapping[str, Any]) -> Response:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(error.auth_header)  # type: ignore[attr-defined]
    code = error.get_codes()
    message = str(error.detail)
    if isinstance(error, NotAuthenticated):
        message = "Send the practice's key in the header “Authorization: Api-Key …”."
    if isinstance(error, MethodNotAllowed):
        allowed = " or ".join(sorted({*context["view"].allowed_methods} - {"OPTIONS"}))
        message = f"This address does not take that method. Call it with {allowed}."
    if isinstance(error, UnsupportedMediaType):
        wanted = context["view"].parser_classes[0].media_type
        message = f"This call takes no other body than “{wanted}”. Send “Content-Type: {wanted}”."
    if isinstance(error, NotAcceptable):
        message = "Answers are JSON. Send “Accept: application/json”, or no such header."
    if isinstance(error, AuthenticationFailed):
        code = "key_not_usable"
    return _one(code if isinstance(code, str) else "invalid", message, error.status_code, headers)


def _our_fault(error: Exception, context: Mapping[str, Any]) -> Response:
    request = getattr(context.get("request"), "_request", None)
    log.error("call failed path=%s", getattr(request, "path", ""), exc_info=error)
    if isinstance(error, OperationalError):
        wait = {"Retry-After": str(BUSY_SECONDS)}
        return _one("busy", "The database is busy. Nothing was stored; send it again.", 503, wait)
    # Whoever watches for failures, the tests' own client among them, is told as Django would.
    got_request_exception.send(sender=explain, request=request)
    return _one("our_fault", "Something went wrong on our side. Nothing was stored.", 500)


def _one(
    code: str, message: str, status_code: int, headers: Mapping[str, str] | None = None
) -> Response:
    return _response([Problem(path="", code=code, message=message)], status_code, headers or {})


def _response(
    problems: Sequence[Problem], status_code: int, headers: Mapping[str, str]
) -> Response:
    told = [_told(one) for one in problems]
    return Response({"problems": told}, status=status_code, headers=dict(headers))


def _told(problem: Problem) -> dict[str, Any]:
    """The problem as it is answered; choices only where there are any."""
    words = {"path": problem.path, "code": problem.code, "message": problem.message}
    told: dict[str, Any] = {name: printable(value, most=500) for name, value in words.items()}
    if problem.choices:
        told["choices"] = [asdict(one) for one in problem.choices]
    return told
