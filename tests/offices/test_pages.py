"""The pages about people: home, support access, API keys, and what went wrong."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse

from offices.models import AuditEntry, Membership, Practice, PracticeKey, Role, SupportGrant, User
from offices.people import make_key
from offices.tenancy import acting_for
from tests.factories import make_member, make_practice, make_user
from tests.offices.conftest import let_in, token_in

LogIn = Callable[[User], Client]


def at(name: str, practice: Practice, **kwargs: Any) -> str:
    return reverse(f"offices:{name}", kwargs={"practice_slug": practice.slug, **kwargs})


def actions_of(practice: Practice) -> list[str]:
    with acting_for(practice.pk):
        return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def test_home_goes_straight_on_for_somebody_of_one_practice(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    assert logged_in(admin).get("/")["Location"] == at("practice", practice)
    assert Client().get("/")["Location"] == "/accounts/login/?next=/"


def test_home_lists_the_practices_of_somebody_of_several(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    other = make_practice("Ridge Engineers")
    make_practice("Nobody's")
    Membership.objects.create(practice=other, user=admin, role=Role.VIEWER)
    page = logged_in(admin).get("/").content.decode()
    assert page.index("Harbour Architects") < page.index("Ridge Engineers")
    assert at("practice", other) in page
    assert "Nobody's" not in page


def test_home_says_what_to_do_to_somebody_of_no_practice(db: None, logged_in: LogIn) -> None:
    user = make_user("lone@harbour.example")
    page = logged_in(user).get("/").content.decode()
    assert "Ask an admin of your practice to add lone@harbour.example" in page


def test_home_shows_support_where_it_may_go_and_why(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    client = logged_in(support)
    assert "No practice has granted you access at present" in client.get("/").content.decode()
    let_in(practice, support, admin)
    page = client.get("/").content.decode()
    assert "Harbour Architects" in page
    assert "Set up Xero with Ana" in page


def test_a_practice_opens_on_what_waits_to_be_uploaded(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    there = reverse("invoicing:available", kwargs={"practice_slug": practice.slug})
    assert logged_in(admin).get(at("practice", practice))["Location"] == there


def test_an_admin_lets_support_in_and_ends_it_on_the_page(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    client, address = logged_in(admin), at("support", practice)
    page = client.get(address).content.decode()
    assert "Nobody of Abtrac's support has been let in so far" in page.replace("&#x27;", "'")
    sent = {"user": support.pk, "reason": "Set up <Xero>", "hours": "4"}
    page = client.post(address, sent, follow=True).content.decode()
    assert "can now work in Harbour Architects" in page
    assert "Set up &lt;Xero&gt;" in page
    assert ">Open<" in page
    grant = SupportGrant.objects.get()
    assert (grant.user, grant.granted_by) == (support, admin)
    assert (grant.ends_at - grant.starts_at).total_seconds() == pytest.approx(4 * 3600, abs=60)
    end = at("end_support", practice, grant_id=grant.pk)
    assert "has ended" in client.post(end, follow=True).content.decode()
    assert "was over already" in client.post(end, follow=True).content.decode()
    assert actions_of(practice) == ["support.granted", "support.ended"]


def test_with_nobody_to_let_in_the_page_says_so(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    make_user(is_support=True, is_active=False)
    page = logged_in(admin).get(at("support", practice)).content.decode()
    assert "there is nobody to let in" in page
    assert "Give access" not in page


@pytest.mark.parametrize(
    "change",
    [{"hours": "9000"}, {"hours": ""}, {"reason": " "}, {"user": ""}, {"user": "x"}],
)
def test_a_grant_asked_for_wrongly_is_explained_and_not_given(
    practice: Practice, admin: User, support: User, logged_in: LogIn, change: dict[str, str]
) -> None:
    sent = {"user": support.pk, "reason": "Xero", "hours": "4"} | change
    page = logged_in(admin).post(at("support", practice), sent)
    assert page.status_code == 200
    assert "is-invalid" in page.content.decode()
    assert not SupportGrant.objects.exists()


def test_only_support_people_are_offered_and_taken(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    member = make_member(practice, Role.VIEWER)
    gone = make_user(is_support=True, is_active=False)
    client, address = logged_in(admin), at("support", practice)
    page = client.get(address).content.decode()
    assert str(support) in page
    assert str(gone) not in page
    for wrong in (member, gone):
        client.post(address, {"user": wrong.pk, "reason": "x", "hours": "4"})
    assert not SupportGrant.objects.exists()


def test_support_cannot_let_itself_or_others_in(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    let_in(practice, support, admin)
    client, address = logged_in(support), at("support", practice)
    assert "Give access" not in client.get(address).content.decode()
    page = client.post(address, {"user": support.pk, "reason": "longer", "hours": "168"})
    assert "Only the practice's own admins can let support in" in page.content.decode()
    assert SupportGrant.objects.count() == 1


def test_a_grant_sent_with_more_fields_takes_only_its_own(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    other = make_practice("Ridge")
    sent = {
        "user": support.pk,
        "reason": "Xero",
        "hours": "4",
        "practice": other.pk,
        "granted_by": support.pk,
        "ends_at": "2099-01-01",
    }
    logged_in(admin).post(at("support", practice), sent)
    grant = SupportGrant.objects.get()
    assert (grant.practice, grant.granted_by) == (practice, admin)
    assert grant.ends_at.year < 2099


def test_the_grant_of_another_practice_is_not_there(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    other = make_practice("Ridge")
    theirs = let_in(other, support, make_member(other))
    address = at("end_support", practice, grant_id=theirs.pk)
    assert logged_in(admin).post(address).status_code == 404
    theirs.refresh_from_db()
    assert theirs.ended_at is None


def test_a_new_key_is_shown_once_and_never_again(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    client, address = logged_in(admin), at("keys", practice)
    assert "No key has been made so far" in client.get(address).content.decode()
    page = client.post(address, {"name": "Abtrac server", "prefix": "mine", "revoked": "on"})
    found = re.search(r'<code class="secret" id="secret">([^<]+)</code>', page.content.decode())
    assert found
    key = PracticeKey.objects.get_from_key(found[1])
    assert isinstance(key, PracticeKey)
    assert (key.practice, key.name, key.revoked) == (practice, "Abtrac server", False)
    again = client.get(address).content.decode()
    assert key.prefix in again
    assert found[1] not in again
    assert actions_of(practice) == ["key.made"]


def test_reloading_the_answer_makes_no_other_key(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    client, address = logged_in(admin), at("keys", practice)
    sent = {"name": "Abtrac server", "once": token_in(client.get(address))}
    page = client.post(address, sent).content.decode()
    again = client.post(address, sent, follow=True)
    assert again.redirect_chain == [(address, 302)]
    assert "That was done already. The key “Abtrac server” was shown once" in (
        again.content.decode()
    )
    assert PracticeKey.objects.count() == 1
    # The form on the answer itself is a new one, and so is one in another session.
    assert client.post(address, {**sent, "once": token_in(page)}).status_code == 200
    assert logged_in(admin).post(address, sent).status_code == 200
    assert PracticeKey.objects.count() == 3


def test_a_form_that_was_refused_has_not_acted(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    client, address = logged_in(admin), at("keys", practice)
    page = client.post(address, {"name": "", "once": token_in(client.get(address))})
    sent = {"name": "Abtrac server", "once": token_in(page)}
    assert 'id="secret"' in client.post(address, sent).content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_two_clicks_at_once_one_makes_a_key(admin: User, practice: Practice) -> None:
    client, address = Client(), at("keys", practice)
    client.force_login(admin)
    sent = {"name": "Abtrac server", "once": token_in(client.get(address))}

    def click(_: int) -> int:
        browser = Client()
        browser.cookies = client.cookies
        try:
            return browser.post(address, sent).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as clicks:
        answers = sorted(clicks.map(click, range(4)))
    assert answers == [200, 302, 302, 302]
    assert PracticeKey.objects.count() == 1


def test_a_key_needs_a_name(practice: Practice, admin: User, logged_in: LogIn) -> None:
    for name in ("", "  ", "x" * 51):
        page = logged_in(admin).post(at("keys", practice), {"name": name})
        assert "is-invalid" in page.content.decode()
    assert not PracticeKey.objects.exists()


def test_a_key_is_stopped_on_the_page(practice: Practice, admin: User, logged_in: LogIn) -> None:
    key, secret = make_key(practice=practice, name="Old server", actor=admin)
    client = logged_in(admin)
    page = client.post(at("revoke_key", practice, prefix=key.prefix), follow=True)
    assert "“Old server” no longer opens anything" in page.content.decode()
    assert ">Stopped<" in page.content.decode()
    assert not PracticeKey.objects.is_valid(secret)


def test_the_keys_of_another_practice_are_neither_shown_nor_stopped(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    key, secret = make_key(practice=make_practice("Ridge"), name="Ridge server", actor=None)
    client = logged_in(admin)
    assert "Ridge server" not in client.get(at("keys", practice)).content.decode()
    assert client.post(at("revoke_key", practice, prefix=key.prefix)).status_code == 404
    assert PracticeKey.objects.is_valid(secret)


def test_support_is_told_that_it_makes_no_keys_and_may_stop_them(
    practice: Practice, admin: User, support: User, logged_in: LogIn
) -> None:
    let_in(practice, support, admin)
    key, _ = make_key(practice=practice, name="Old server", actor=admin)
    client, address = logged_in(support), at("keys", practice)
    page = client.get(address).content.decode()
    assert "support can stop them" in page
    assert "Make key" not in page
    client.post(address, {"name": "Mine"})
    assert PracticeKey.objects.count() == 1
    assert client.post(at("revoke_key", practice, prefix=key.prefix)).status_code == 302
    key.refresh_from_db()
    assert key.revoked


@pytest.mark.parametrize("name", ["support", "keys"])
def test_these_pages_take_as_many_queries_for_many_rows_as_for_one(
    practice: Practice, admin: User, logged_in: LogIn, name: str
) -> None:
    client, counts = logged_in(admin), []
    for more in (1, 12):
        for _ in range(more):
            let_in(practice, make_user(is_support=True), admin)
            make_key(practice=practice, name="One more", actor=admin)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(at(name, practice)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 12 + _scope_queries(queries)


def _scope_queries(queries: Any) -> int:
    """Telling the database whose rows may be seen, and the transaction's own words."""
    own = ("SELECT set_config", "BEGIN", "SAVEPOINT", "RELEASE", "COMMIT")
    return sum(one["sql"].startswith(own) for one in queries)


@pytest.mark.parametrize("name", ["support", "keys"])
def test_pages_that_change_things_refuse_a_form_from_elsewhere(
    practice: Practice, admin: User, name: str
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    answer = client.post(at(name, practice), {"name": "Planted"})
    assert answer.status_code == 403
    assert "This page had grown old" in answer.content.decode()
    assert not PracticeKey.objects.exists()


def test_the_menu_offers_what_the_person_may_open(practice: Practice, logged_in: LogIn) -> None:
    address = reverse("interfaces:list", kwargs={"practice_slug": practice.slug})
    for role in Role:
        page = logged_in(make_member(practice, role)).get(address).content.decode()
        assert (at("keys", practice) in page) is (role == Role.ADMIN)
        assert "Upload invoices" in page


def test_the_switcher_names_every_practice_of_the_person_once(
    practice: Practice, admin: User, logged_in: LogIn
) -> None:
    other = make_practice("Ridge <Engineers>")
    Membership.objects.create(practice=other, user=admin, role=Role.VIEWER)
    page = logged_in(admin).get(at("keys", practice)).content.decode()
    assert page.count("Ridge &lt;Engineers&gt;") == 1


def test_health_says_whether_pages_can_be_served_and_not_why_not(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    def broken() -> Any:
        raise OperationalError("password of the database is CANARY")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", broken)
        answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})


# What went wrong, on pages of our own.


def breaks(request: Any) -> HttpResponse:
    secret = "CANARY-token"
    raise RuntimeError(f"it broke with {secret}")


class broken_urls:
    urlpatterns = [path("breaks/", breaks)]


def test_an_address_that_is_none_has_a_page(db: None) -> None:
    answer = Client().get("/no/such/page/")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_a_bug_has_a_page_that_tells_nothing_of_itself(
    db: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ROOT_URLCONF = broken_urls
    answer = Client(raise_request_exception=False).get("/breaks/")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.content.decode()
    assert "CANARY" not in answer.content.decode()


def test_a_host_that_is_not_ours_has_a_page(db: None) -> None:
    answer = Client().get("/", headers={"Host": "elsewhere.example"})
    assert answer.status_code == 400
    assert "That request cannot be read" in answer.content.decode()
    assert "elsewhere" not in answer.content.decode()


def test_a_form_of_too_many_fields_is_not_read(db: None, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    answer = Client().post("/accounts/login/", {str(number): "x" for number in range(9)})
    assert answer.status_code == 400
