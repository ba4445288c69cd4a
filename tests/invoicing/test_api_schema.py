"""The OpenAPI document is whole, and the API does what it says whatever it is sent."""

import re
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client as Browser
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from invoicing.models import Upload
from offices.tenancy import acting_for
from tests.invoicing.abtrac import Abtrac, abtrac, invoice
from tests.invoicing.test_api_told import maker

__all__ = ["abtrac"]

pytestmark = pytest.mark.django_db

# What a schema cannot say is checked all the same: that totals agree, that a client was sent.
NOT_OF_A_SCHEMA = [positive_data_acceptance]


def product(environ: Any, start_response: Any) -> list[bytes]:
    """The product on the test's own connection: it is left open, as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        with closing(WSGIHandler()(environ, start_response)) as answer:
            return [b"".join(answer)]
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


def described() -> dict[str, Any]:
    """The document as it is served."""
    answer = Browser(headers={"Host": "localhost"}).get("/api/schema/?format=json")
    served: dict[str, Any] = answer.json()
    return served


def simplified(document: dict[str, Any]) -> dict[str, Any]:
    """Without what is tried elsewhere: the key, and the longest lists a call takes (a thousand)."""
    for calls in document["paths"].values():
        for call in calls.values():
            call.pop("security", None)
    for schema in document["components"]["schemas"].values():
        for name in ("rows", "invoices", "lines"):
            schema.get("properties", {}).get(name, {}).pop("maxItems", None)
    return document


schemathesis.serializer.alias("application/pdf", "application/octet-stream")
api = schemathesis.openapi.from_dict(simplified(described()))
api.app = product


@pytest.fixture
def sent(abtrac: Abtrac) -> Abtrac:
    """Abtrac that has sent an invoice."""
    abtrac.put("invoices", invoice("I1"))
    return abtrac


# Rows are stored by POST as by PUT: one of them is enough.
@api.exclude(operation_id_regex="^post_").parametrize()
@settings(
    max_examples=5,
    derandomize=True,  # a change is judged by the same calls as the one before it
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_api_does_what_it_says(case: Any, sent: Abtrac) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Api-Key {sent.secret}"}, excluded_checks=NOT_OF_A_SCHEMA
    )


@pytest.mark.parametrize(
    "last",
    [
        {"state": "sent", "remote_id": "77", "remote_number": "I-77", "remote_total": "115.00"},
        {"state": "queued", "reason": "Xero did not answer.", "tries": 1},
    ],
    ids=["sent", "waiting"],
)
@pytest.mark.parametrize("path", ["/api/v1/uploads", "/api/v1/invoices/{abtrac_id}"])
def test_what_is_told_of_uploads_is_as_it_is_described(
    path: str, last: dict[str, Any], sent: Abtrac
) -> None:
    later = timezone.now() + timedelta(hours=1)
    queued = maker(sent)
    queued("I1", state="refused", reason="Its account is archived.", warnings=["Cut short."])
    with acting_for(sent.practice.pk):
        upload = queued("I1", **last, sent_at=later if last["state"] == "sent" else None)
        Upload.objects.filter(pk=upload.pk).update(due=later)
    case = api[path]["GET"].Case(path_parameters={"abtrac_id": "I1"} if "{" in path else {})
    answer = case.call_and_validate(headers={"Authorization": f"Api-Key {sent.secret}"})
    told = answer.json()
    latest = told["uploads"][-1] if "uploads" in told else told["upload"]
    assert latest["state"] == last["state"]
    assert bool(latest["next_try"]) == (last["state"] == "queued")


def test_the_document_is_valid_and_nothing_in_it_was_guessed(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    assert file.read_text().startswith("openapi: 3.")
    assert "rror" not in capsys.readouterr().err


def test_every_call_describes_its_answers_and_asks_for_the_key() -> None:
    for path, calls in described()["paths"].items():
        for method, call in calls.items():
            assert call["summary"], path
            assert call["security"] == [{"PracticeKey": []}], path
            assert {"200", "401"} <= call["responses"].keys(), path
            if method in {"put", "post"}:
                assert {"400", "409", "413", "415"} <= call["responses"].keys(), path
                assert "requestBody" in call, path


def test_the_document_tells_nothing_of_a_practice_and_needs_no_key() -> None:
    answer = Browser().get("/api/schema/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/vnd.oai.openapi")


def test_the_page_that_shows_it_runs_nothing_of_its_own() -> None:
    page = Browser().get("/api/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert not re.search(r"<style|style=|\son\w+=|<script>", text)
    sources = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(sources) == 5
    assert all(one.startswith("/") for one in sources)
    script = Browser().get("/api/docs/?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert "/api/schema/" in script.content.decode()
