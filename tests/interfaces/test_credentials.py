"""Tokens at rest, and their renewal."""

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from connectors.base.errors import ConnectorError, NeedsReconnect, RetryLater
from interfaces.connections import open_connector
from interfaces.credentials import LEASE, StoredTokens, erase, seal, store_tokens, unseal
from interfaces.models import AccountingInterface, ConsentRequest, Credential
from interfaces.preferences import save_preferences, settings_for
from interfaces.sealing import Unreadable
from offices.models import User
from offices.tenancy import acting_for
from tests.interfaces.conftest import credential_of, expire, reload
from tests.interfaces.ledger import LedgerServer

REFRESH = "POST /token"


def tokens_of(interface: AccountingInterface, **options: Any) -> StoredTokens:
    return StoredTokens(interface.practice_id, interface.pk, **options)


def test_sealed_text_opens_under_any_key_of_the_ring_and_under_no_other(settings: Any) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [old]
    sealed = seal("a secret")
    settings.CREDENTIAL_KEYS = [new, old]
    assert "a secret" not in sealed
    assert unseal(sealed) == "a secret"
    settings.CREDENTIAL_KEYS = [new]
    with pytest.raises(Unreadable):
        unseal(sealed)


@pytest.mark.django_db(transaction=True)
def test_a_fresh_token_is_used_as_it_is(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    assert tokens_of(interface).access_token() in server.access_tokens
    assert server.calls == []


@pytest.mark.django_db(transaction=True)
def test_a_token_about_to_end_is_renewed_first_and_the_new_pair_is_kept(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    with acting_for(interface.practice_id):
        Credential.objects.update(expires_at=timezone.now() + timedelta(seconds=50))
    before = credential_of(interface)
    token = tokens_of(interface).access_token()
    after = credential_of(interface)
    assert server.calls == [REFRESH]
    assert after.version == before.version + 1
    assert (after.renewing_by, after.renewing_until) == ("", None)
    assert after.expires_at > timezone.now() + timedelta(minutes=25)
    assert tokens_of(interface).access_token() == token
    assert server.calls == [REFRESH]


@pytest.mark.django_db(transaction=True)
def test_of_two_workers_who_need_a_token_one_renews_and_both_use_it(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    server.overlap = False
    expire(interface)
    together, got = threading.Barrier(4), []

    def work() -> None:
        together.wait()
        try:
            got.append(tokens_of(interface).access_token())
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert len(got) == 4
    assert len(set(got)) == 1
    assert server.calls == [REFRESH]


@pytest.mark.django_db(transaction=True)
def test_a_token_refused_before_its_time_is_renewed_once(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    refused = tokens_of(interface).access_token()
    newer = tokens_of(interface).renew(refused)
    assert newer != refused
    # Another worker was refused the same old token: it gets what is there by now.
    assert tokens_of(interface).renew(refused) == newer
    assert server.calls == [REFRESH]


@pytest.mark.django_db(transaction=True)
def test_a_lost_answer_leaves_the_old_refresh_token_to_be_tried_again(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    expire(interface)
    server.script = ["drop"]
    before = credential_of(interface)
    with pytest.raises(RetryLater):
        tokens_of(interface).access_token()
    after = credential_of(interface)
    assert (after.sealed, after.version) == (before.sealed, before.version)
    assert after.renewing_until is None
    assert reload(interface).state == AccountingInterface.State.CONNECTED
    assert tokens_of(interface).access_token() in server.access_tokens
    assert server.calls == [REFRESH, REFRESH]


@pytest.mark.django_db(transaction=True)
def test_a_lost_answer_past_the_overlap_asks_for_consent_again(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    expire(interface)
    server.overlap = False
    server.script = ["drop"]
    with pytest.raises(RetryLater):
        tokens_of(interface).access_token()
    with pytest.raises(NeedsReconnect):
        tokens_of(interface).access_token()
    assert reload(interface).state == AccountingInterface.State.NEEDS_CONSENT


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        *((500, "{}"), (503, "x"), (302, ""), (400, "no json"), (400, '"x"'), (400, "[1]")),
        *((200, body) for body in ("", "<p>", "[]", "{}", "null", "1", '"text"')),
        (200, '{"access_token": 5}'),
        (200, '{"access_token": ""}'),
        (200, '{"access_token": "x", "expires_in": "soon"}'),
        (200, '{"access_token": "x", "expires_in": [1]}'),
        (200, '{"access_token": "x", "expires_at": 1e30}'),
        (200, '{"error": ["odd"]}'),
        (400, '{"error": {"odd": 1}}'),
    ],
)
def test_an_answer_that_is_no_answer_changes_nothing(
    interface: AccountingInterface, server: LedgerServer, status: int, body: str
) -> None:
    expire(interface)
    server.script = [(status, body)]
    with pytest.raises(RetryLater):
        tokens_of(interface).access_token()
    assert reload(interface).state == AccountingInterface.State.CONNECTED
    assert credential_of(interface).renewing_until is None


@pytest.mark.django_db(transaction=True)
def test_a_refusal_puts_one_line_into_the_log_whatever_it_holds(
    interface: AccountingInterface, server: LedgerServer, caplog: pytest.LogCaptureFixture
) -> None:
    expire(interface)
    server.script = [(400, '{"error": "odd\\nERROR forged line"}')]
    with pytest.raises(RetryLater, match="oddERROR forged line"):
        tokens_of(interface).access_token()
    [said] = [one.getMessage() for one in caplog.records if one.name == "interfaces.oauth"]
    assert "\n" not in said


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("header", "after"),
    [("7", timedelta(seconds=7)), ("999999999", timedelta(days=1)), ("soon", None), ("-1", None)],
)
def test_a_sign_in_service_that_asks_us_to_wait_is_waited_for(
    interface: AccountingInterface, server: LedgerServer, header: str, after: timedelta | None
) -> None:
    expire(interface)
    server.script = [(429, "{}", {"Retry-After": header})]
    with pytest.raises(RetryLater, match="asks us to wait") as refused:
        tokens_of(interface).access_token()
    assert (refused.value.after, refused.value.congested) == (after, True)


@pytest.mark.django_db(transaction=True)
def test_a_sign_in_service_that_cannot_be_reached_costs_nobody_their_consent(
    interface: AccountingInterface, server: LedgerServer, settings: Any
) -> None:
    expire(interface)
    settings.PACKAGE_APPS["ledger"]["endpoints"] = {"api": "http://127.0.0.1:1"}
    with pytest.raises(RetryLater, match="no usable answer"):
        tokens_of(interface).access_token()
    assert reload(interface).state == AccountingInterface.State.CONNECTED


@pytest.mark.django_db(transaction=True)
def test_a_renewal_follows_no_redirect(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    """The answer must not lead the refresh token to another host."""
    expire(interface)
    server.script = [(307, "", {"Location": f"{server.url}/elsewhere"})]
    with pytest.raises(RetryLater):
        tokens_of(interface).access_token()
    assert server.calls == [REFRESH]


@pytest.mark.django_db(transaction=True)
def test_wrong_app_details_are_the_operators_fault_and_cost_nobody_their_consent(
    interface: AccountingInterface, server: LedgerServer, settings: Any
) -> None:
    expire(interface)
    settings.PACKAGE_APPS["ledger"]["client_secret"] = "wrong"
    with pytest.raises(RetryLater, match="LEDGER_CLIENT_ID"):
        tokens_of(interface).access_token()
    settings.PACKAGE_APPS["ledger"]["client_secret"] = ""
    with pytest.raises(RetryLater, match="LEDGER_CLIENT_SECRET is not set"):
        tokens_of(interface).access_token()
    assert reload(interface).state == AccountingInterface.State.CONNECTED


@pytest.mark.django_db(transaction=True)
def test_a_refused_refresh_token_asks_for_consent_and_says_so(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    expire(interface)
    server.refresh_tokens.clear()
    with pytest.raises(NeedsReconnect, match="Ledger no longer accepts the saved sign-in"):
        tokens_of(interface).access_token()
    after = reload(interface)
    assert after.state == AccountingInterface.State.NEEDS_CONSENT
    assert "Connect again" in after.state_reason


@pytest.mark.django_db(transaction=True)
def test_a_refusal_that_somebody_elses_renewal_explains_is_no_loss(
    interface: AccountingInterface, server: LedgerServer, admin: User
) -> None:
    """The consent was given anew between our asking and the refusal of the old token."""
    expire(interface)
    server.refresh_tokens.clear()
    fresh = server.issue() | {"expires_at": timezone.now().timestamp() + 1800}

    class Overtaken(StoredTokens):
        def _interface(self) -> Any:
            with acting_for(interface.practice_id):
                store_tokens(interface.pk, fresh, admin)
            return super()._interface()

    overtaken = Overtaken(interface.practice_id, interface.pk)
    assert overtaken.access_token() == fresh["access_token"]
    assert reload(interface).state == AccountingInterface.State.CONNECTED


@pytest.mark.django_db(transaction=True)
def test_a_waiter_gives_up_in_words_while_another_worker_renews(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    expire(interface)
    with acting_for(interface.practice_id):
        Credential.objects.update(
            renewing_by="somebody else", renewing_until=timezone.now() + LEASE
        )
    naps: list[float] = []
    with pytest.raises(RetryLater, match="being renewed"):
        tokens_of(interface, patience=2.0, sleep=naps.append).access_token()
    assert sum(naps) == 2.0
    assert server.calls == []


@pytest.mark.django_db(transaction=True)
def test_the_lease_of_a_worker_that_died_is_taken_over(
    interface: AccountingInterface, server: LedgerServer
) -> None:
    expire(interface)
    with acting_for(interface.practice_id):
        Credential.objects.update(renewing_by="dead", renewing_until=timezone.now())
    assert tokens_of(interface).access_token() in server.access_tokens


@pytest.mark.django_db(transaction=True)
def test_a_renewal_that_lost_its_lease_stores_nothing(
    interface: AccountingInterface, server: LedgerServer, admin: User
) -> None:
    expire(interface)
    newest = server.issue() | {"expires_at": timezone.now().timestamp() + 1800}

    class Slow(StoredTokens):
        def _keep(self, *args: Any) -> bool:
            with acting_for(interface.practice_id):
                store_tokens(interface.pk, newest, admin)
            return super()._keep(*args)

    slow = Slow(interface.practice_id, interface.pk)
    assert slow.access_token() == newest["access_token"]
    assert tokens_of(interface).access_token() == newest["access_token"]


@pytest.mark.django_db(transaction=True)
def test_erased_tokens_are_gone_and_never_mistaken_for_later_ones(
    interface: AccountingInterface, server: LedgerServer, admin: User
) -> None:
    before = credential_of(interface)
    with acting_for(interface.practice_id):
        erase(interface.pk)
    with pytest.raises(NeedsReconnect):
        tokens_of(interface).access_token()
    with acting_for(interface.practice_id):
        store_tokens(interface.pk, server.issue(), admin)
    assert credential_of(interface).version > before.version + 1


@pytest.mark.django_db(transaction=True)
def test_an_unreadable_credential_asks_for_consent_and_crashes_nothing(
    interface: AccountingInterface, settings: Any
) -> None:
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with (
        pytest.raises(NeedsReconnect, match="CREDENTIAL_KEYS"),
        open_connector(practice_id=interface.practice_id, interface_id=interface.pk) as connector,
    ):
        connector.list_company_files()
    after = reload(interface)
    assert after.state == AccountingInterface.State.NEEDS_CONSENT
    assert "CREDENTIAL_KEYS" in after.state_reason


@pytest.mark.django_db(transaction=True)
def test_no_secret_reaches_a_log_an_error_or_the_database(
    interface: AccountingInterface,
    server: LedgerServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    for step in (None, "drop", (500, "CANARY-body"), (400, '{"error": "CANARY odd"}')):
        expire(interface)
        server.script = [step]
        tokens = tokens_of(interface)
        try:
            tokens.access_token()
        except ConnectorError as error:
            said.append(f"{error!r} {error.__cause__!r} {error.__dict__!r}")
        said.append(repr(tokens))
    server.refresh_tokens.clear()
    server.spent.clear()
    expire(interface)
    with pytest.raises(NeedsReconnect) as lost:
        tokens_of(interface).access_token()
    said += [repr(lost.value), caplog.text, _dump()]
    everything = "\n".join(said).replace("CANARY odd", "")
    assert "interfaces" in caplog.text
    assert "CANARY" not in everything


def test_rotating_reseals_everything_and_the_old_key_can_go(
    interface: AccountingInterface, settings: Any
) -> None:
    old, new = settings.CREDENTIAL_KEYS[0], Fernet.generate_key().decode()
    with acting_for(interface.practice_id):
        save_preferences(interface, {"password": "CANARY-password"})
    token = tokens_of(interface).access_token()
    settings.CREDENTIAL_KEYS = [new, old]
    call_command("rotate_credentials")
    settings.CREDENTIAL_KEYS = [new]
    assert tokens_of(interface).access_token() == token
    assert settings_for(reload(interface))["password"] == "CANARY-password"
    assert "CANARY" not in _dump()


def test_a_trip_nobody_came_back_from_keeps_no_old_key_alive(
    interface: AccountingInterface, admin: User, settings: Any
) -> None:
    old, new = settings.CREDENTIAL_KEYS[0], Fernet.generate_key().decode()
    lost = Fernet.generate_key().decode()
    for key, minutes in ((lost, 11), (old, 1)):
        settings.CREDENTIAL_KEYS = [key]
        with acting_for(interface.practice_id):
            ConsentRequest.objects.create(
                interface=interface,
                user=admin,
                state_hash=str(minutes),
                sealed_verifier=seal("CANARY"),
                created_at=timezone.now() - timedelta(minutes=minutes),
            )
    settings.CREDENTIAL_KEYS = [new, old]
    call_command("rotate_credentials")
    settings.CREDENTIAL_KEYS = [new]
    with acting_for(interface.practice_id):
        kept = dict(ConsentRequest.objects.values_list("state_hash", "sealed_verifier"))
    assert kept["11"] == ""
    assert unseal(kept["1"]) == "CANARY"


def test_rotating_names_what_no_key_opens_and_leaves_it(
    interface: AccountingInterface, settings: Any
) -> None:
    before = credential_of(interface).sealed
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="1 cannot be read"):
        call_command("rotate_credentials")
    assert credential_of(interface).sealed == before


def _dump() -> str:
    """Every row of every table of interfaces and offices, as text."""
    rows: list[Any] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith(("interfaces_", "offices_", "django_session")):
                cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names from the database
                rows += cursor.fetchall()
    assert rows
    return repr(rows)
