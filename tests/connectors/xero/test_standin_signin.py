"""The rehearsal Xero's sign-in over HTTP: consent, codes, tokens, connections, revocation."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from connectors.xero.standin import XeroStandIn
from connectors.xero.standin_signin import BROAD_SCOPES, GRANULAR_SCOPES
from tests.connectors.xero.xero_caller import UNKNOWN_ID, XeroCaller

BACK = "http://127.0.0.1:8000/oauth/xero/callback"
SCOPES = "offline_access accounting.invoices accounting.contacts accounting.settings.read"
CLIENT = ("standin-client", "standin-secret")


@pytest.fixture
def xero() -> Iterator[XeroCaller]:
    with XeroCaller() as caller:
        yield caller


def authorize(xero: XeroCaller, **changes: str) -> requests.Response:
    asked = {
        "response_type": "code",
        "client_id": CLIENT[0],
        "redirect_uri": BACK,
        "scope": SCOPES,
        "state": "s-1",
    } | changes
    asked = {name: value for name, value in asked.items() if value}
    return xero.call("GET", f"/identity/connect/authorize?{urlencode(asked)}")


def consent(
    xero: XeroCaller, *, decision: str = "allow", ticked: int = 2, person: str = "", **changes: str
) -> dict[str, str]:
    """Fill in the page's own form and return what is sent back to the app."""
    page = authorize(xero, **changes).text
    form: list[tuple[str, str]] = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    form += [
        ("organisation", one)
        for one in re.findall(r'name="organisation" value="([^"]*)"', page)[:ticked]
    ]
    form += [("decision", decision)] + ([("person", person)] if person else [])
    answer = xero.call("POST", "/identity/connect/authorize", data=form)
    assert answer.status_code == 302, answer.text
    back, _, query = answer.headers["Location"].partition("?")
    assert back == changes.get("redirect_uri", BACK)
    return {name: values[0] for name, values in parse_qs(query).items()}


def token(xero: XeroCaller, auth: Any = CLIENT, **form: str) -> requests.Response:
    return requests.post(
        f"{xero.standin.url}/connect/token",
        data=form,
        auth=auth,
        headers={"Accept": "application/json"},
        timeout=10,
    )


def exchange(xero: XeroCaller, code: str, **changes: str) -> requests.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK} | changes
    return token(xero, **form)


def sign_in(xero: XeroCaller, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = exchange(xero, consent(xero, **changes)["code"]).json()
    return answer


def renew(xero: XeroCaller, refresh_token: str) -> requests.Response:
    return token(xero, grant_type="refresh_token", refresh_token=refresh_token)


def reach(xero: XeroCaller, tokens: dict[str, Any], path: str = "Invoices") -> requests.Response:
    return xero.call("GET", path, headers={"Authorization": f"Bearer {tokens['access_token']}"})


def connections(xero: XeroCaller, tokens: dict[str, Any], query: str = "") -> Any:
    answer = reach(xero, tokens, f"/connections{query}")
    assert answer.status_code == 200
    return answer.json()


def refused_page(answer: requests.Response) -> str:
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    return answer.text


def test_consent_brings_back_a_code_and_the_state(xero: XeroCaller) -> None:
    back = consent(xero)
    assert back.keys() == {"code", "state"}
    assert back["state"] == "s-1"


def test_the_consent_page_shows_what_is_asked_and_runs_no_script(xero: XeroCaller) -> None:
    page = authorize(xero)
    assert "Harbour Architects Ltd" in page.text
    assert "accounting.invoices" in page.text
    assert "<script" not in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_what_is_asked_is_escaped_on_the_page(xero: XeroCaller) -> None:
    page = authorize(xero, state='"><script>alert(1)</script>')
    assert "<script" not in page.text


def test_cancelling_sends_back_access_denied_and_the_state(xero: XeroCaller) -> None:
    assert consent(xero, decision="cancel") == {"error": "access_denied", "state": "s-1"}


def test_no_organisation_ticked_asks_again(xero: XeroCaller) -> None:
    page = authorize(xero).text
    form = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    answer = xero.call("POST", "/identity/connect/authorize", data=[*form, ("decision", "allow")])
    assert answer.status_code == 200
    assert "Choose at least one organisation." in answer.text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_id": "other"}, "unauthorized_client"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"redirect_uri": "http://abtrac.example/callback"}, "Invalid redirect_uri"),
        ({"redirect_uri": ""}, "Invalid redirect_uri"),
        ({"scope": "accounting.invoices accounting.everything"}, "Invalid scope for client"),
        ({"scope": "accounting.transactions"}, "Invalid scope for client"),
        ({"scope": ""}, "invalid_scope"),
        ({"state": ""}, "The state is missing"),
    ],
)
def test_a_wrong_question_is_refused_on_the_page_and_not_sent_back(
    xero: XeroCaller, changes: dict[str, str], reason: str
) -> None:
    assert reason in refused_page(authorize(xero, **changes))


@pytest.mark.parametrize(
    "uri", ["https://link.abtrac.example/callback", "http://localhost:8000/callback", BACK]
)
def test_https_and_this_computer_may_be_returned_to(xero: XeroCaller, uri: str) -> None:
    assert "code" in consent(xero, redirect_uri=uri)


def test_where_redirect_uris_are_registered_only_they_are_returned_to() -> None:
    with XeroStandIn(redirect_uris=[BACK]) as standin:
        query = {
            "response_type": "code",
            "client_id": CLIENT[0],
            "scope": SCOPES,
            "state": "s",
        }
        address = f"{standin.url}/identity/connect/authorize"
        for uri, status in ((BACK, 200), (f"{BACK}/", 400)):
            asked = query | {"redirect_uri": uri}
            assert requests.get(address, params=asked, timeout=10).status_code == status


def test_an_older_app_may_ask_for_the_broad_scopes() -> None:
    with XeroStandIn(app_scopes=GRANULAR_SCOPES | BROAD_SCOPES) as standin:
        tokens = standin.issue_tokens(scopes=["accounting.transactions"])
        organisation = standin.organisation("Harbour Architects Ltd")
        answer = requests.get(
            f"{standin.url}/api.xro/2.0/Invoices",
            headers={
                "Authorization": f"Bearer {tokens['access_token']}",
                "xero-tenant-id": organisation.tenant_id,
            },
            timeout=10,
        )
        assert answer.status_code == 200


def test_a_code_buys_tokens_of_thirty_minutes(xero: XeroCaller) -> None:
    tokens = sign_in(xero)
    assert tokens["expires_in"] == 1800
    assert tokens["token_type"] == "Bearer"
    assert tokens["scope"] == SCOPES
    assert reach(xero, tokens).status_code == 200


def test_the_access_token_names_the_consent_that_its_connections_carry(xero: XeroCaller) -> None:
    tokens = sign_in(xero, ticked=1)
    claims = tokens["access_token"].split(".")[1]
    event = json.loads(base64.urlsafe_b64decode(claims + "=="))["authentication_event_id"]
    [only] = connections(xero, tokens, f"?authEventId={event}")
    assert only["tenantName"] == "Harbour Architects Ltd"
    assert only["authEventId"] == event


def test_without_offline_access_there_is_no_refresh_token(xero: XeroCaller) -> None:
    assert "refresh_token" not in sign_in(xero, scope="accounting.invoices")


def test_an_id_token_comes_only_with_openid(xero: XeroCaller) -> None:
    assert "id_token" not in sign_in(xero)
    assert "id_token" in sign_in(xero, scope=f"openid {SCOPES}")


def test_a_code_can_be_used_once(xero: XeroCaller) -> None:
    code = consent(xero)["code"]
    assert exchange(xero, code).status_code == 200
    again = exchange(xero, code)
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})


def test_a_code_lives_five_minutes(xero: XeroCaller) -> None:
    early, late = consent(xero)["code"], consent(xero)["code"]
    xero.pass_time(minutes=4, seconds=59)
    assert exchange(xero, early).status_code == 200
    xero.pass_time(seconds=1)
    assert exchange(xero, late).json() == {"error": "invalid_grant"}


def test_a_code_is_bound_to_its_redirect_uri(xero: XeroCaller) -> None:
    code = consent(xero)["code"]
    answer = exchange(xero, code, redirect_uri="http://localhost:8000/other")
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})


def test_the_client_proves_itself_by_basic_or_in_the_form(xero: XeroCaller) -> None:
    form = {"client_id": CLIENT[0], "client_secret": CLIENT[1]}
    code = consent(xero)["code"]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    assert token(xero, auth=None, **grant, **form).status_code == 200


@pytest.mark.parametrize("auth", [("standin-client", "wrong"), ("wrong", "standin-secret"), None])
def test_a_wrong_client_gets_nothing_and_spends_no_code(xero: XeroCaller, auth: Any) -> None:
    code = consent(xero)["code"]
    grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    answer = token(xero, auth=auth, **grant)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    assert token(xero, **grant).status_code == 200


def test_another_grant_type_is_refused(xero: XeroCaller) -> None:
    answer = token(xero, grant_type="client_credentials")
    assert (answer.status_code, answer.json()) == (400, {"error": "unsupported_grant_type"})


def test_every_renewal_brings_a_new_refresh_token(xero: XeroCaller) -> None:
    first = sign_in(xero)
    second = renew(xero, first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert reach(xero, second).status_code == 200


def test_a_used_refresh_token_may_be_tried_again_for_thirty_minutes(xero: XeroCaller) -> None:
    first = sign_in(xero)["refresh_token"]
    assert renew(xero, first).status_code == 200
    xero.pass_time(minutes=29, seconds=59)
    assert renew(xero, first).status_code == 200
    xero.pass_time(seconds=1)
    late = renew(xero, first)
    assert (late.status_code, late.json()) == (400, {"error": "invalid_grant"})


def test_a_refresh_token_lives_sixty_days_unused(xero: XeroCaller) -> None:
    early, late = sign_in(xero)["refresh_token"], sign_in(xero)["refresh_token"]
    xero.pass_time(days=59, hours=23)
    assert renew(xero, early).status_code == 200
    xero.pass_time(hours=1)
    assert renew(xero, late).json() == {"error": "invalid_grant"}


def test_an_unknown_refresh_token_is_an_invalid_grant(xero: XeroCaller) -> None:
    assert renew(xero, "nonsense").json() == {"error": "invalid_grant"}


def test_tokens_are_never_kept_with_the_requests(xero: XeroCaller) -> None:
    tokens = sign_in(xero)
    renew(xero, tokens["refresh_token"])
    kept = repr(xero.standin.requests)
    assert tokens["refresh_token"] not in kept
    assert CLIENT[1] not in kept


def test_an_expired_access_token_says_when_it_expired(xero: XeroCaller) -> None:
    tokens = sign_in(xero)
    xero.pass_time(minutes=30)
    answer = reach(xero, tokens)
    assert answer.status_code == 401
    body = answer.json()
    assert body["Detail"] == "TokenExpired: token expired at 11/25/2026 01:30:00"
    assert (body["Type"], body["Title"], body["Status"]) == (None, "Unauthorized", 401)


def test_tokens_can_be_made_to_expire_at_once(xero: XeroCaller) -> None:
    tokens = sign_in(xero)
    xero.standin.expire_access_tokens()
    assert "TokenExpired" in reach(xero, tokens).json()["Detail"]
    assert renew(xero, tokens["refresh_token"]).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic abc"])
def test_a_token_nobody_issued_is_unsuccessful_authentication(
    xero: XeroCaller, header: str
) -> None:
    answer = xero.call("GET", "Invoices", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["Detail"]) == (401, "AuthenticationUnsuccessful")
    assert "invalid_token" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("scope", "method", "path", "allowed"),
    [
        ("accounting.settings.read", "GET", "Accounts", True),
        ("accounting.settings.read", "PUT", "TrackingCategories", False),
        ("accounting.settings.read", "GET", "Contacts", False),
        ("accounting.contacts.read", "GET", "Contacts", True),
        ("accounting.contacts.read", "PUT", "Contacts", False),
        ("accounting.invoices", "GET", "Invoices", True),
        ("accounting.invoices", "GET", "CreditNotes", True),
        ("accounting.invoices", "GET", "Payments", False),
        ("accounting.invoices", "PUT", f"Invoices/{UNKNOWN_ID}/Attachments/a.pdf", False),
        ("accounting.payments.read", "GET", "Payments", True),
    ],
)
def test_a_missing_scope_is_unsuccessful_authorisation(
    xero: XeroCaller, scope: str, method: str, path: str, allowed: bool
) -> None:
    xero.token = xero.standin.issue_tokens(scopes=[scope])["access_token"]
    answer = xero.call(method, path)
    if allowed:
        assert answer.status_code == 200
        return
    assert (answer.status_code, answer.json()["Detail"]) == (401, "AuthorizationUnsuccessful")
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]


def test_connections_are_a_bare_list_of_what_was_ticked(xero: XeroCaller) -> None:
    person = "accounts@harbour.example"
    [only] = connections(xero, sign_in(xero, ticked=1, person=person))
    assert only["tenantType"] == "ORGANISATION"
    assert only["tenantId"] == xero.tenant
    assert only["id"] != only["tenantId"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}", only["createdDateUtc"])


def test_consenting_again_keeps_the_connection_and_renews_its_event(xero: XeroCaller) -> None:
    person = "accounts@harbour.example"
    [before] = connections(xero, sign_in(xero, ticked=1, person=person))
    after = connections(xero, sign_in(xero, ticked=2, person=person))
    assert after[0]["id"] == before["id"]
    assert after[0]["authEventId"] != before["authEventId"]
    assert len(after) == 2


def test_a_connection_is_ended_by_its_own_id_not_the_tenants(xero: XeroCaller) -> None:
    tokens = sign_in(xero)
    [first, _] = connections(xero, tokens)
    header = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (
        xero.call("DELETE", f"/connections/{first['tenantId']}", headers=header).status_code == 404
    )
    assert xero.call("DELETE", f"/connections/{first['id']}", headers=header).status_code == 204
    assert [one["tenantName"] for one in connections(xero, tokens)] == ["Harbour Surveying Pty Ltd"]
    assert xero.call("DELETE", f"/connections/{first['id']}", headers=header).status_code == 404


@pytest.mark.parametrize("tenant", ["", UNKNOWN_ID, "not-an-id"])
def test_an_organisation_that_is_not_connected_is_forbidden(xero: XeroCaller, tenant: str) -> None:
    answer = xero.call("GET", "Organisation", headers={"xero-tenant-id": tenant})
    body = answer.json()
    assert (answer.status_code, body["Title"]) == (403, "Forbidden")
    assert body["Detail"] == "AuthenticationUnsuccessful"


def test_disconnecting_inside_xero_leaves_the_token_good_and_the_books_forbidden(
    xero: XeroCaller,
) -> None:
    xero.standin.disconnect(xero.books)
    assert xero.call("GET", "Organisation").status_code == 403
    other = xero.australian.tenant_id
    answer = xero.call("GET", "Organisation", headers={"xero-tenant-id": other})
    assert answer.status_code == 200


def test_revoking_ends_all_connections_of_the_person_and_of_nobody_else(xero: XeroCaller) -> None:
    one, other = "one@harbour.example", "other@harbour.example"
    first, second = sign_in(xero, person=one), sign_in(xero, person=one)
    unrelated = sign_in(xero, person=other)
    answer = requests.post(
        f"{xero.standin.url}/connect/revocation",
        data={"token": first["refresh_token"]},
        auth=CLIENT,
        timeout=10,
    )
    assert (answer.status_code, answer.content) == (200, b"")
    assert connections(xero, second) == []
    assert reach(xero, second).status_code == 403
    assert renew(xero, second["refresh_token"]).json() == {"error": "invalid_grant"}
    assert reach(xero, unrelated).status_code == 200
    assert renew(xero, unrelated["refresh_token"]).status_code == 200


def test_revoking_needs_the_client_and_forgives_an_unknown_token(xero: XeroCaller) -> None:
    address, form = f"{xero.standin.url}/connect/revocation", {"token": "nonsense"}
    assert requests.post(address, data=form, timeout=10).status_code == 401
    assert requests.post(address, data=form, auth=CLIENT, timeout=10).status_code == 200


def test_issued_tokens_look_like_those_of_a_consent(xero: XeroCaller) -> None:
    tokens = xero.standin.issue_tokens(organisations=["Harbour Surveying Pty Ltd"], person="p@x.nz")
    assert tokens["expires_at"] == xero.moment.timestamp() + 1800
    assert [one["tenantName"] for one in connections(xero, tokens)] == ["Harbour Surveying Pty Ltd"]
    assert renew(xero, tokens["refresh_token"]).status_code == 200


def test_the_callback_keeps_a_query_it_had(xero: XeroCaller) -> None:
    uri = "https://link.abtrac.example/callback?from=xero"
    page = authorize(xero, redirect_uri=uri).text
    form = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    answer = xero.call("POST", "/identity/connect/authorize", data=[*form, ("decision", "cancel")])
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query == {"from": ["xero"], "error": ["access_denied"], "state": ["s-1"]}
