"""Published descriptions of package APIs, kept beside the repository, and judgement by them."""

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

SPECS = Path(__file__).resolve().parents[2] / "shared" / "specs"
PUSH_SUBSET = "xero/xero_accounting.push-subset.yaml"
OFFICIAL = "xero/xero_accounting.yaml"
IDENTITY = "xero/xero-identity.yaml"
API = "/api.xro/2.0"
XERO = "https://api.xero.com"


def spec_path(name: str) -> Path:
    """A published file. Without it the test is skipped; on CI, where it must be, it fails."""
    path = SPECS / name
    if path.is_file():
        return path
    reason = f"{path} is not there: put the published specifications beside the repository."
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@cache
def openapi(name: str) -> OpenAPI:
    """A published description; loading it takes seconds."""
    published = yaml.load(spec_path(name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    # The official files write some examples and defaults as text, which a check of them refuses.
    return OpenAPI.from_dict(published, config=Config(spec_validator_cls=None))


def xero_api() -> OpenAPI:
    """What we may send to Xero."""
    return openapi(PUSH_SUBSET)


def validate_xero_request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> None:
    """Raise AssertionError unless Xero's published description allows the request.

    `url` may be of any server. The rule of four decimals is added: the description lacks it.
    """
    request = _request(method, url, headers, body)
    try:
        with _no_sign_in():
            xero_api().validate_request(request)
    except Exception as error:
        raise AssertionError(f"{method} {url}: {_reason(error)}\n{body[:2000]!r}") from error
    for amount in _unit_amounts(body, headers):
        exponent = amount.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < -4:
            raise AssertionError(f"UnitAmount {amount} has more than four decimals.")


def validate_xero_answer(method: str, url: str, answer: bytes, *, name: str = OFFICIAL) -> None:
    """Raise AssertionError unless a published description has such a successful JSON answer."""
    request = _request(method, url, {}, b"")
    response = MockResponse(answer, status_code=200, content_type="application/json")
    try:
        with _no_sign_in():
            openapi(name).validate_response(request, response)
    except Exception as error:
        raise AssertionError(f"{method} {url}: {_reason(error)}\n{answer[:2000]!r}") from error


@contextmanager
def _no_sign_in() -> Iterator[None]:
    """The validator knows no OAuth2 and warns each time; sign-in is the stand-in's to check."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unsupported scheme type")
        yield


def _request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> MockRequest:
    parts = urlsplit(url)
    given = {name.lower(): value for name, value in headers.items()}
    kind = given.pop("content-type", "application/json").split(";")[0]
    args = dict(parse_qsl(parts.query, keep_blank_values=True))
    return MockRequest(
        XERO,
        method.lower(),
        parts.path,
        args=args,
        headers=given,
        data=body or None,
        content_type=kind,
    )


def _unit_amounts(body: bytes, headers: Mapping[str, str]) -> list[Decimal]:
    """Every UnitAmount in a JSON body."""
    kinds = [value for name, value in headers.items() if name.lower() == "content-type"]
    if not body or not kinds or "json" not in kinds[0]:
        return []
    found: list[Decimal] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "UnitAmount" in value:
                found.append(Decimal(value["UnitAmount"]))
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(json.loads(body, parse_float=Decimal))
    return found


def _reason(error: BaseException) -> str:
    """The validator's own reasons, which it hides in its causes."""
    reasons: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        schema_errors = getattr(cause, "schema_errors", None)
        if schema_errors:
            reasons += [f"{'/'.join(map(str, one.path))}: {one.message}" for one in schema_errors]
        cause = cause.__cause__
    return "; ".join(reasons)[:3000] or str(error)
