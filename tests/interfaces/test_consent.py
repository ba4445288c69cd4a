"""The trip to the package's sign-in page and back: once, for the person and place it began with."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from connectors import registry
from interfaces import consent, registration
from interfaces.consent import MOST_TRIPS, TRIPS, Arrival, ConsentRefused
from interfaces.credentials import StoredTokens
from interfaces.models import AccountingInterface, ConsentRequest, Credential, Lane
from interfaces.oauth import NotSetUp
from offices.models import Practice, User
from offices.tenancy import acting_for
from tests.factories import make_member
from tests.interfaces import ledger
from tests.interfaces.conftest import credential_of, reload
from tests.interfaces.ledger import FILES, LedgerServer

pytestmark = pytest.mark.django_db

State = AccountingInterface.State
NOT_BEGUN = "not begun here, or was used before"


@pytest.fixture
def session() -> SessionBase:
    """The browser's session."""
    return SessionStore()


def begin(
    interface: AccountingInterface, user: User, session: SessionBase, next_url: str = ""
) -> str:
    """Leave for the sign-in page; its address."""
    with acting_for(interface.practice_id):
        return consent.start(interface=interface, user=user, session=session, next_url=next_url)


def come_back(session: SessionBase, user: User, answer: Mapping[str, str]) -> Arrival:
    return consent.finish(package=ledger.PACKAGE, session=session, user=user, answer=answer)


def queries_of(address: str) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(address).query).items()}


def one_file(server: LedgerServer, number: int = 0) -> None:
    server.files = FILES[number : number + 1]


def test_the_sign_in_page_is_asked_for_exactly_what_is_needed(
    unconnected: AccountingInterface, admin: User, session: SessionBase, settings: Any
) -> None:
    settings.PACKAGE_APPS["ledger"]["scopes"] = "books invoices"
    asked = queries_of(begin(unconnected, admin, session))
    assert asked["response_type"] == "code"
    assert asked["client_id"] == ledger.CLIENT_ID
    assert asked["redirect_uri"] == f"{settings.SITE_URL}/oauth/ledger/callback"
    assert asked["scope"] == "books invoices"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 43
    assert ledger.CLIENT_SECRET not in str(asked)
    with acting_for(unconnected.practice_id):
        kept = ConsentRequest.objects.values().get()
    assert asked["state"] not in str(kept)
    assert asked["state"] not in str(dict(session))
    assert asked["code_challenge"] not in str(kept)


def test_a_consent_that_reaches_one_company_file_connects_to_it(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    one_file(server)
    answer = server.consent(begin(unconnected, admin, session, next_url="/back/"))
    arrival = come_back(session, admin, answer)
    assert (arrival.connected, arrival.next_url) == (True, "/back/")
    after = reload(unconnected)
    assert after.state == State.CONNECTED
    assert (after.company_file_id, after.company_file_name) == ("f1", "Harbour Ltd")
    assert (after.connection_id, after.country, after.currency) == ("c1", "NZ", "NZD")
    credential = credential_of(unconnected)
    assert credential.connected_by == admin
    assert StoredTokens(after.practice_id, after.pk).access_token() in server.access_tokens
    assert Lane.objects.get(interface=after).due is not None
    with acting_for(unconnected.practice_id):
        trip = ConsentRequest.objects.get()
    assert trip.used_at is not None
    assert trip.sealed_verifier == ""
    assert session[TRIPS] == {}


def test_a_consent_that_reaches_several_waits_for_a_choice(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    arrival = come_back(session, admin, server.consent(begin(unconnected, admin, session)))
    assert not arrival.connected
    after = reload(unconnected)
    assert after.state == State.CHOOSE_COMPANY_FILE
    assert after.company_file_id == ""
    assert credential_of(unconnected).sealed


def test_reconnecting_finds_the_own_company_file_among_several_and_keeps_what_was_set(
    interface: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    with acting_for(interface.practice_id):
        AccountingInterface.objects.update(
            state=State.NEEDS_CONSENT,
            state_reason="gone",
            preferences={"status": "approved"},
            company_file_name="Harbour (old name)",
        )
    before = credential_of(interface)
    arrival = come_back(session, admin, server.consent(begin(interface, admin, session)))
    after = reload(interface)
    assert arrival.connected
    assert (after.state, after.state_reason) == (State.CONNECTED, "")
    assert (after.company_file_id, after.company_file_name) == ("f1", "Harbour Ltd")
    assert after.preferences == {"status": "approved"}
    assert after.revenue_account_id == interface.revenue_account_id
    assert credential_of(interface).version > before.version


def test_reconnecting_to_another_company_file_is_refused_and_both_are_named(
    interface: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    one_file(server, 1)
    before = (credential_of(interface).sealed, reload(interface).state)
    with pytest.raises(ConsentRefused) as refused:
        come_back(session, admin, server.consent(begin(interface, admin, session)))
    assert "belongs to Harbour Ltd" in str(refused.value)
    assert "reaches Other Ltd" in str(refused.value)
    assert "Nothing has changed" in str(refused.value)
    assert (credential_of(interface).sealed, reload(interface).state) == before


def test_a_consent_that_reaches_nothing_is_refused(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    server.files = ()
    with pytest.raises(ConsentRefused, match="reaches no organisation"):
        come_back(session, admin, server.consent(begin(unconnected, admin, session)))
    assert_nothing_stored(unconnected)


def test_a_state_serves_once(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    one_file(server)
    answer = server.consent(begin(unconnected, admin, session))
    held = dict(session)
    come_back(session, admin, answer)
    before = credential_of(unconnected).version
    with pytest.raises(ConsentRefused, match=NOT_BEGUN):
        come_back(session, admin, answer)
    # Not even in a session that still holds it, as that of a second tab may.
    session.update(held)
    with pytest.raises(ConsentRefused, match=NOT_BEGUN):
        come_back(session, admin, answer)
    assert credential_of(unconnected).version == before


def test_a_state_is_used_up_by_a_try_that_failed(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    one_file(server)
    answer = server.consent(begin(unconnected, admin, session))
    held = dict(session)
    server.script = [(503, "")]
    with pytest.raises(ConsentRefused, match="no usable answer"):
        come_back(session, admin, answer)
    session.update(held)
    with pytest.raises(ConsentRefused, match=NOT_BEGUN):
        come_back(session, admin, answer)
    assert_nothing_stored(unconnected)


def test_a_state_serves_only_in_the_session_it_was_made_in(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    answer = server.consent(begin(unconnected, admin, session))
    elsewhere = SessionStore()
    for state in ({"state": answer["state"]}, {"state": ""}, {}, {"state": "x" * 43}):
        with pytest.raises(ConsentRefused, match=NOT_BEGUN):
            come_back(elsewhere, admin, {"code": answer["code"], **state})
    assert server.calls == []
    assert_nothing_stored(unconnected)
    # The trip itself is still good for the one who began it.
    one_file(server)
    assert come_back(session, admin, answer).connected


def test_a_state_serves_only_the_person_who_began(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    answer = server.consent(begin(unconnected, admin, session))
    with acting_for(unconnected.practice_id):
        other = make_member(unconnected.practice)
    with pytest.raises(ConsentRefused, match=NOT_BEGUN):
        come_back(session, other, answer)
    assert server.calls == []
    assert_nothing_stored(unconnected)


def test_a_state_serves_only_the_package_it_was_made_for(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    """Two vendors mixed up: a code of one must not be taken to the other."""
    answer = server.consent(begin(unconnected, admin, session))
    other = replace(ledger.PACKAGE, key="ledger2", label="Ledger Two")
    with pytest.raises(ConsentRefused, match=NOT_BEGUN):
        consent.finish(package=other, session=session, user=admin, answer=answer)
    assert server.calls == []
    assert_nothing_stored(unconnected)


def test_a_state_serves_only_the_interface_it_was_made_for(
    unconnected: AccountingInterface,
    interface: AccountingInterface,
    admin: User,
    session: SessionBase,
    server: LedgerServer,
) -> None:
    answer = server.consent(begin(unconnected, admin, session))
    [key] = session[TRIPS]
    session[TRIPS] = {key: [interface.practice_id, interface.pk]}
    before = credential_of(interface).sealed
    with pytest.raises(ConsentRefused, match=NOT_BEGUN):
        come_back(session, admin, answer)
    assert credential_of(interface).sealed == before
    assert_nothing_stored(unconnected)


def test_two_trips_at_once_each_end_where_they_began(
    practice: Practice, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    with acting_for(practice.pk):
        made = [
            registration.create_interface(package_key="ledger", name=name) for name in ("A", "B")
        ]
    one_file(server)
    answers = [server.consent(begin(one, admin, session)) for one in made]
    for interface, answer in reversed(list(zip(made, answers, strict=True))):
        assert come_back(session, admin, answer).interface.pk == interface.pk


def test_a_trip_that_took_too_long_is_refused(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    answer = server.consent(begin(unconnected, admin, session))
    with acting_for(unconnected.practice_id):
        ConsentRequest.objects.update(created_at=timezone.now() - timedelta(minutes=10, seconds=1))
    with pytest.raises(ConsentRefused, match="longer than ten minutes"):
        come_back(session, admin, answer)
    assert server.calls == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("access_denied", "access was not allowed there"),
        ("invalid_scope", "LEDGER_SCOPES"),
        ("unauthorized_client", "LEDGER_CLIENT_ID"),
        ("server_error", r"did not complete the sign-in \(server_error\)"),
        ("<b>x</b>\r\nforged", r"\(bxbforged\)"),
        ("", r"\(no code came back\)"),
    ],
)
def test_a_consent_that_was_not_given_says_why_and_stores_nothing(
    unconnected: AccountingInterface,
    admin: User,
    session: SessionBase,
    server: LedgerServer,
    error: str,
    words: str,
) -> None:
    state = queries_of(begin(unconnected, admin, session))["state"]
    with pytest.raises(ConsentRefused, match=words):
        come_back(session, admin, {"state": state, "error": error})
    assert server.calls == []
    assert_nothing_stored(unconnected)


def test_a_code_the_package_does_not_take_is_told_as_that(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    answer = server.consent(begin(unconnected, admin, session))
    with pytest.raises(ConsentRefused, match="Ledger did not complete the sign-in"):
        come_back(session, admin, answer | {"code": "CANARY-forged"})
    assert_nothing_stored(unconnected)


def test_a_code_of_another_trip_fails_for_want_of_its_verifier(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    """What PKCE is for: somebody else's code slipped into our answer."""
    stolen = server.consent(begin(unconnected, admin, session))
    own = server.consent(begin(unconnected, admin, session))
    with pytest.raises(ConsentRefused):
        come_back(session, admin, {"state": own["state"], "code": stolen["code"]})
    assert_nothing_stored(unconnected)


def test_a_package_that_cannot_list_company_files_is_connected_at_once(
    unconnected: AccountingInterface,
    admin: User,
    session: SessionBase,
    server: LedgerServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = replace(ledger.PACKAGE, connector=object)
    monkeypatch.setattr(registry, "packages", lambda: {"ledger": package})
    answer = server.consent(begin(unconnected, admin, session))
    arrival = consent.finish(package=package, session=session, user=admin, answer=answer)
    assert arrival.connected
    assert reload(unconnected).state == State.CONNECTED


def test_files_that_cannot_be_listed_leave_everything_as_it_was(
    interface: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    answer = server.consent(begin(interface, admin, session))
    before = credential_of(interface).sealed
    server.script = [(200, '{"access_token": "unknown there", "refresh_token": "r"}')]
    with pytest.raises(ConsentRefused, match="could not be connected"):
        come_back(session, admin, answer)
    assert credential_of(interface).sealed == before
    assert reload(interface).state == State.CONNECTED


def test_a_server_without_its_app_details_names_the_variable(
    unconnected: AccountingInterface, admin: User, session: SessionBase, settings: Any
) -> None:
    settings.PACKAGE_APPS["ledger"]["client_id"] = ""
    with pytest.raises(NotSetUp, match="LEDGER_CLIENT_ID is not set"):
        begin(unconnected, admin, session)
    with acting_for(unconnected.practice_id):
        assert not ConsentRequest.objects.exists()


def test_a_session_remembers_the_last_trips_and_no_more(
    unconnected: AccountingInterface, admin: User, session: SessionBase, server: LedgerServer
) -> None:
    answers = [server.consent(begin(unconnected, admin, session)) for _ in range(MOST_TRIPS + 1)]
    assert len(session[TRIPS]) == MOST_TRIPS
    with pytest.raises(ConsentRefused, match=NOT_BEGUN):
        come_back(session, admin, answers[0])
    one_file(server)
    assert come_back(session, admin, answers[-1]).connected


def test_where_a_trip_began_is_known_to_its_session_alone(
    unconnected: AccountingInterface, admin: User, session: SessionBase
) -> None:
    state = queries_of(begin(unconnected, admin, session))["state"]
    assert consent.begun_for(session, state) == (unconnected.practice_id, unconnected.pk)
    assert consent.begun_for(session, "other") is None
    assert consent.begun_for(SessionStore(), state) is None


def test_every_refusal_is_logged_and_no_secret_with_it(
    unconnected: AccountingInterface,
    admin: User,
    session: SessionBase,
    server: LedgerServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = server.consent(begin(unconnected, admin, session))
    with pytest.raises(ConsentRefused) as first:
        come_back(SessionStore(), admin, answer)
    with pytest.raises(ConsentRefused) as second:
        come_back(session, admin, answer | {"code": "CANARY-forged"})
    assert "consent refused package=ledger" in caplog.text
    assert f"user={admin.pk} why=unknown state" in caplog.text
    said = f"{caplog.text} {first.value!r} {second.value!r} {second.value.__cause__!r}"
    assert "CANARY" not in said
    assert answer["state"] not in said


def assert_nothing_stored(interface: AccountingInterface) -> None:
    after = reload(interface)
    assert after.state == State.NOT_CONNECTED
    assert after.company_file_id == ""
    with acting_for(interface.practice_id):
        assert not Credential.objects.filter(interface=interface).exists()
