"""Batches, seen as a person sees them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone

from connectors.base.documents import Conflict, Posted
from interfaces.models import AccountingInterface, Lane
from invoicing import uploads
from invoicing.models import Batch, Invoice, PackageDocument, Upload, UploadEvent
from invoicing.preflight import folded_number
from invoicing.uploads import outcomes
from invoicing.words import money
from offices.models import AuditEntry, Practice, Role, User
from offices.tenancy import acting_for
from tests.factories import make_interface, make_invoice, make_member, make_practice
from tests.invoicing.pages import client_of, counted_queries, said, text_of, url
from tests.invoicing.scene import Scene, make_batch, make_scene, make_step, make_upload

pytestmark = pytest.mark.django_db

State = Upload.State


@pytest.fixture
def admin(practice: Practice) -> User:
    """An admin, who made the batches of the scene."""
    return make_member(practice, Role.ADMIN, "ana@harbour.example")


@pytest.fixture
def scene(practice: Practice, admin: User) -> Scene:
    """Every state."""
    with acting_for(practice.pk):
        return make_scene(admin)


@pytest.fixture
def browser(practice: Practice) -> Browser:
    """The browser of somebody who may upload."""
    return client_of(make_member(practice, Role.ACCOUNTS))


def row_of(page: Any, upload: Upload) -> str:
    """What the row of the upload says."""
    body = page.content.decode()
    assert upload.invoice
    start = body.index(f">{upload.invoice.number}</a>")
    cut = body[start : body.index("</tr>", start)]
    return text_of(_Part(cut))


class _Part:
    def __init__(self, body: str) -> None:
        self.content = body.encode()


def states(practice: Practice, *uploads: Upload) -> list[str]:
    """The states of the uploads as they are stored now."""
    with acting_for(practice.pk):
        found = dict(
            Upload.objects.filter(pk__in=[one.pk for one in uploads]).values_list("pk", "state")
        )
    return [found[one.pk] for one in uploads]


def test_each_state_has_its_words(practice: Practice, scene: Scene, browser: Browser) -> None:
    finished = browser.get(url(practice, "batches/1/"))
    running = browser.get(url(practice, "batches/2/"))
    expected = {
        "sent": "Sent",
        "credit": "Sent",
        "warned": "Sent with warning",
        "refused": "Refused",
        "conflict": "Needs a person",
        "not_known": "Needs a person",
        "cancelled": "Cancelled",
        "parked": "Parked",
        "went_on": "Uploaded again",
    }
    for name, words in expected.items():
        assert f" {words} " in row_of(finished, scene.uploads[name]), name
    expected = {
        "queued": "Waiting",
        "claimed": "Sending",
        "sending": "Sending",
        "unknown": "Checking",
    }
    for name, words in expected.items():
        assert f" {words} " in row_of(running, scene.uploads[name]), name


def test_the_time_of_the_next_try_is_the_practices_own(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        Upload.objects.filter(pk=scene.uploads["retry"].pk).update(
            due=datetime(2026, 11, 20, 1, 5, tzinfo=UTC)
        )
        Upload.objects.filter(pk=scene.uploads["queued"].pk).update(
            due=datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
        )
        Upload.objects.filter(pk=scene.uploads["next_year"].pk).update(
            due=datetime(2027, 11, 20, 20, 0, tzinfo=UTC)
        )
        Lane.objects.filter(interface=scene.interface).update(hold_until=None)
    browser.get("/")
    with time_machine.travel(datetime(2026, 11, 20, 0, 30, tzinfo=UTC), tick=False):
        page = browser.get(url(practice, "batches/2/"))
    assert "Waiting until 14:05 " in row_of(page, scene.uploads["retry"])
    assert "Waiting until 09:00, 21 Nov " in row_of(page, scene.uploads["queued"])
    assert "Waiting until 09:00, 21 Nov 2027 " in row_of(page, scene.uploads["next_year"])


def test_a_row_tells_why_and_what_to_do_and_links_to_the_package(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    page = browser.get(url(practice, "batches/1/"))
    refused = row_of(page, scene.uploads["refused"])
    assert "Invoice line 2: account 260 is archived in Xero." in refused
    assert "Choose another account, or restore 260 in Xero. Then retry." in refused
    assert "Details for support Account code '260' has been archived" in refused
    sent = scene.uploads["sent"]
    assert f"{sent.remote_number} Open in Xero" in row_of(page, sent)
    body = page.content.decode()
    assert f'href="{sent.remote_url}" target="_blank" rel="noopener noreferrer"' in body
    assert "1,869.33; ours is 1,869.32" in row_of(page, scene.uploads["warned"])
    assert "Uploaded again in batch 2" in row_of(page, scene.uploads["went_on"])


def test_an_address_that_is_no_web_address_is_never_a_link(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        for address in ("javascript:alert(1)", "data:text/html,x", "http://["):
            Upload.objects.filter(pk=scene.uploads["sent"].pk).update(remote_url=address)
            for path in ("batches/1/", f"invoices/{scene.uploads['sent'].invoice_id}/"):
                page = browser.get(url(practice, path))
                assert f'href="{address}"' not in page.content.decode()


def test_the_words_of_a_package_are_shown_as_text(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    evil = "<img src=x onerror=alert(1)>"
    with acting_for(practice.pk):
        Upload.objects.filter(pk=scene.uploads["refused"].pk).update(
            reason=evil, next_step=evil, package_words=evil, warnings=[evil], remote_number=evil
        )
    for path in ("batches/1/", f"invoices/{scene.uploads['refused'].invoice_id}/"):
        assert evil not in browser.get(url(practice, path)).content.decode()


def test_the_counts_add_up(practice: Practice, scene: Scene, browser: Browser) -> None:
    page = browser.get(url(practice, "batches/1/"))
    assert (
        "6 of 12 sent, 1 refused, 1 needs a person, 3 set aside, 1 not known: please check;"
        " 1 PDF failed" in text_of(page)
    )
    assert "Retry all that failed (3)" in text_of(page)
    counts = {"failed": 2, "not_known": 1, "sent": 6, "aside": 3, "moving": 0, "nonsense": 12}
    for show, count in counts.items():
        shown = browser.get(url(practice, f"batches/1/?show={show}"))
        assert len(list(shown.context["table"].paginated_rows)) == count, show
    running = text_of(browser.get(url(practice, "batches/2/")))
    assert "1 of 9 sent, 8 on the way; 1 contact failed" in running


def test_what_failed_beside_the_invoices_is_said_wherever_the_batch_is_told(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        batch = make_batch(7, finished=True)
        note = make_invoice(scene.office, scene.clients[0], nets=("-50.00",))
        make_upload(batch, note, State.SENT)
        failed = make_upload(batch, note, State.REFUSED, Upload.Kind.ALLOCATION)
        for _ in range(60):
            make_upload(batch, _another(scene), State.SENDING, Upload.Kind.PDF)
        refused = State.REFUSED
        make_upload(batch, _another(scene), refused, Upload.Kind.PDF)
        make_upload(batch, _another(scene), refused, Upload.Kind.PDF)
    words = "1 of 1 sent; 2 PDFs and 1 credit allocation failed"
    page = browser.get(url(practice, "batches/7/"))
    told = text_of(page)
    assert f"{words} All 1 Sent 1" in told
    assert 'href="#companions"' in page.content.decode()
    assert "Batch 7 is finished. 1 of 1 sent (NZD -57.50 incl tax); 2 PDFs and 1" in told
    assert "Retry all that failed (3)" in told
    # However much is on the way, what needs somebody is among what is shown.
    assert f"Credit allocation {note} Refused" in told
    listed = browser.get(url(practice, "batches/"))
    row = "Abtrac 1 1 0 0 0 Some failed 2 PDFs and 1 credit allocation failed"
    assert row in text_of(listed)
    assert f'{url(practice, "batches/7/")}#companions"' in listed.content.decode()
    answer = browser.post(url(practice, "batches/7/retry/"), {"only": failed.pk}, follow=True)
    assert said(answer) == ["1 upload on the way again."]
    assert "; 2 PDFs failed" in text_of(browser.get(url(practice, "batches/7/")))


def test_what_nobody_has_found_out_is_never_counted_or_called_failed(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        interface = make_interface(name="Xero Dunedin")
        batch = make_batch(7, finished=True)
        since: dict[str, Any] = {"unknown_since": timezone.now(), "interface": interface}
        first = _another(scene)
        invoices = [first, *(_another(scene) for _ in range(19))]
        rows = [make_upload(batch, one, State.NEEDS_PERSON, **since) for one in invoices]
        rows.append(make_upload(batch, first, State.NEEDS_PERSON, "pdf", **since))
    page = browser.get(url(practice, "batches/7/"))
    told = text_of(page)
    words = "0 of 20 sent, 20 not known: please check; 1 PDF not known"
    assert f"Batch 7 is finished. {words}. What is not known is listed first" in told
    assert f"{words} All 20 Not known 20" in told
    assert "ailed" not in told
    assert "Look again for all not known (21)" in told
    shown = browser.get(url(practice, "batches/7/?show=not_known"))
    assert shown.context["table"].paginator.count == 20
    listed = text_of(browser.get(url(practice, "batches/")))
    assert "Abtrac 20 0 0 0 0 20 not known: please check 1 PDF not known" in listed
    there = text_of(browser.get(url(practice, f"interfaces/{interface.pk}/")))
    assert "Failed 0 invoices Not known: please check 20 invoices" in there
    [row] = browser.get(url(practice, "interfaces/")).content.decode().split("Dunedin")[1:]
    assert 'data-label="Failed" class="number">0<' in row
    assert 'data-label="Not known" class="number">20<' in row
    with acting_for(practice.pk):
        refused = make_upload(batch, _another(scene), State.REFUSED, interface=interface)
    told = text_of(browser.get(url(practice, "batches/7/")))
    assert "0 of 21 sent, 1 refused, 20 not known: please check; 1 PDF not known" in told
    assert "All 21 Failed 1 Not known 20" in told
    answer = browser.post(url(practice, "batches/7/retry/"), {"all": "not_known"}, follow=True)
    assert said(answer) == ["21 uploads on the way again."]
    assert states(practice, *rows, refused) == ["unknown"] * 21 + ["refused"]
    with acting_for(practice.pk):
        Upload.objects.filter(pk=rows[0].pk).update(state=State.NEEDS_PERSON)
    browser.post(url(practice, "batches/7/retry/"), {"all": "failed"})
    assert states(practice, rows[0], refused) == ["needs_person", "queued"]


def test_a_contact_that_went_later_has_not_failed(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        batch = make_batch(7, finished=True)
        make_upload(batch, _another(scene), State.SENT)
        fields = {"interface": scene.interface, "kind": Upload.Kind.CONTACT, "document": {}}
        theirs = {"client": scene.clients[2], "contact_name": "Te Aro Cafe", **fields}
        Upload.objects.create(batch=batch, state=State.REFUSED, **theirs)
    assert "1 of 1 sent; 1 contact failed" in text_of(browser.get(url(practice, "batches/7/")))
    with acting_for(practice.pk):
        Upload.objects.create(
            batch=make_batch(8, finished=True), state=State.SENT, remote_id="c-1", **theirs
        )
    told = text_of(browser.get(url(practice, "batches/7/")))
    assert "1 contact failed" not in told
    assert "Contacts, jobs, PDFs and credits not through yet" not in told
    assert "Abtrac 1 1 0 0 0 Finished" in text_of(browser.get(url(practice, "batches/")))


def test_the_list_of_batches_tells_how_each_fares(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    page = text_of(browser.get(url(practice, "batches/")))
    assert page.index("Batch 3") < page.index("Batch 2") < page.index("Batch 1")
    assert "ana@harbour.example 12 6 2 0 3 Some failed 1 not known: please check" in page
    assert "ana@harbour.example 9 1 0 8 0 On the way" in page
    up = text_of(browser.get(url(practice, "batches/?sort=number")))
    assert up.index("Batch 1") < up.index("Batch 2")


def test_the_list_says_so_when_nothing_of_a_batch_was_sent(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        make_upload(make_batch(7, finished=True), _another(scene), State.REFUSED)
        make_upload(make_batch(8, finished=True), _another(scene), State.CANCELLED)
    page = text_of(browser.get(url(practice, "batches/")))
    assert "Abtrac 1 0 1 0 0 All failed" in page
    assert "Abtrac 1 0 0 0 1 None sent" in page


def test_how_long_a_batch_took_is_not_changed_by_a_retry(practice: Practice, scene: Scene) -> None:
    with acting_for(practice.pk):
        batch = make_batch(7)
        upload = make_upload(batch, _another(scene), State.REFUSED)
        moments = []
        for state in ("refused", "queued", "refused"):
            Upload.objects.filter(pk=upload.pk).update(state=state)
            outcomes.finish_batches([upload])
            batch.refresh_from_db()
            assert (batch.finished_at is None) is (state == "queued")
            moments.append(batch.first_finished_at)
    assert moments[0]
    assert set(moments) == {moments[0]}
    assert batch.finished_at != batch.first_finished_at
    assert batch.took == moments[0] - batch.created_at


def test_the_numbers_of_every_batch_in_the_list_add_up(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    page = browser.get(url(practice, "batches/"))
    for one in (row.record for row in page.context["table"].paginated_rows):
        parts = (one.sent, one.failed, one.not_known, one.moving, one.aside)
        assert one.documents == sum(parts), one
    assert "By Invoices Sent Failed On the way Set aside State" in text_of(page)


def test_what_is_set_aside_asks_for_nothing_more(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    step = "Ask your accountant to restore it."
    aside = [scene.uploads[name] for name in ("went_on", "parked")]
    with acting_for(practice.pk):
        Upload.objects.filter(batch__number=1).update(next_step=step)
    page = browser.get(url(practice, "batches/1/"))
    assert step in row_of(page, scene.uploads["refused"])
    for one in aside:
        assert step not in row_of(page, one)
    assert "Uploaded again in batch 2" in row_of(page, aside[0])
    assert step not in text_of(browser.get(url(practice, f"invoices/{aside[1].invoice_id}/")))


def test_one_refused_again_in_a_later_batch_fails_only_there(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        invoice = _another(scene)
        rows = [
            make_upload(make_batch(number, finished=True), invoice, State.REFUSED, reason="No tax.")
            for number in (7, 8, 9)
        ]
    for number, row in zip((7, 8), rows, strict=False):
        page = browser.get(url(practice, f"batches/{number}/"))
        told = row_of(page, row)
        assert "Uploaded again in batch 9" in told
        assert "Retry" not in text_of(page)
        assert "0 of 1 sent, 1 set aside" in text_of(page)
    assert "Retry all that failed (1)" in text_of(browser.get(url(practice, "batches/9/")))
    answer = browser.get(url(practice, "batches/"))
    listed = text_of(answer)
    # All three stand out as runs that failed.
    assert answer.content.decode().count("row-failed") == 4
    assert listed.count("Abtrac 1 0 1 0 0 All failed") == 1
    assert listed.count("Abtrac 1 0 0 0 1 1 failed, uploaded again later") == 2
    answer = browser.post(url(practice, "batches/7/retry/"), {"only": rows[0].pk}, follow=True)
    assert said(answer) == ["None of these has failed."]


def test_ticks_are_offered_only_where_a_row_can_be_ticked(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        make_upload(make_batch(7), _another(scene), State.SENDING)
    choices = ("Select all shown", "Retry selected", "Park selected", "Cancel selected")

    def offers(address: str) -> list[str]:
        page = text_of(browser.get(url(practice, f"batches/{address}")))
        return [words for words in choices if words in page]

    assert offers("7/") == []
    assert offers("1/?show=sent") == []
    assert offers("1/") == ["Select all shown", "Retry selected", "Park selected"]
    assert offers("2/") == ["Select all shown", "Cancel selected"]


def test_what_failed_comes_first_once_the_batch_is_finished(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    def order(number: int) -> list[str]:
        page = browser.get(url(practice, f"batches/{number}/"))
        return [row.record.state for row in page.context["table"].paginated_rows]

    assert set(order(1)[:3]) == {"refused", "needs_person"}
    with acting_for(practice.pk):
        Batch.objects.filter(number=1).update(finished_at=None)
    assert order(1)[0] == "sent"


@pytest.mark.parametrize(
    "sort", ["number", "name", "total", "state", "remote_number", "-number", "-total", "x"]
)
def test_the_rows_of_a_batch_sort(
    practice: Practice, scene: Scene, browser: Browser, sort: str
) -> None:
    page = browser.get(url(practice, f"batches/1/?sort={sort}"))
    assert len(list(page.context["table"].paginated_rows)) == 12


def test_the_summary_is_told_once_and_not_to_those_who_only_look(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    summary = "Batch 1 is finished. 6 of 12 sent (NZD 24,324.80 incl tax), 1 with a warning"
    viewer = client_of(make_member(practice, Role.VIEWER))
    assert summary not in text_of(viewer.get(url(practice, "batches/1/")))
    browser.head(url(practice, "batches/1/"))
    assert summary in text_of(browser.get(url(practice, "batches/1/")))
    assert summary not in text_of(browser.get(url(practice, "batches/1/")))
    with acting_for(practice.pk):
        assert Batch.objects.get(number=1).summary_shown_at is not None
        assert Batch.objects.get(number=2).summary_shown_at is None


def test_progress_answers_only_what_has_changed(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    page = browser.get(url(practice, "batches/2/"))
    seen = page.context["seen"]
    body = page.content.decode()
    assert f'hx-get="{url(practice, "batches/2/progress/")}" hx-trigger="every 2s"' in body
    same = browser.get(url(practice, "batches/2/progress/"), {"seen": seen})
    assert (same.status_code, same.content) == (204, b"")
    with acting_for(practice.pk):
        upload = Upload.objects.get(pk=scene.uploads["queued"].pk)
        upload.state, upload.remote_id, upload.due = State.SENT, "x", None
        upload.save()
    changed = browser.get(url(practice, "batches/2/progress/"), {"seen": seen})
    assert changed.status_code == 200
    assert "2 of 9 sent, 7 on the way" in text_of(changed)
    assert "seen=" not in changed.content.decode()
    fresh = changed.context["seen"]
    again = browser.get(url(practice, "batches/2/progress/"), {"seen": fresh})
    assert again.status_code == 204


def test_progress_of_a_finished_batch_asks_for_the_whole_page_and_then_stops(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    answer = browser.get(url(practice, "batches/1/progress/"))
    assert answer["HX-Refresh"] == "true"
    with acting_for(practice.pk):
        assert Batch.objects.get(number=1).summary_shown_at is None
    assert "hx-get" not in browser.get(url(practice, "batches/1/")).content.decode()


def test_links_in_progress_keep_the_tab_and_the_order(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        for _ in range(60):
            make_upload(scene.running, _another(scene), State.QUEUED)  # type: ignore[arg-type]
    query = "show=moving&sort=-number&page=2"
    page = browser.get(url(practice, f"batches/2/?{query}")).content.decode()
    assert f"progress/?{query.replace('&', '&amp;')}" in page
    part = browser.get(url(practice, f"batches/2/progress/?{query}&seen=x"))
    assert "?show=moving&amp;sort=-number&amp;page=1" in part.content.decode()


def _another(scene: Scene) -> Invoice:
    return make_invoice(scene.office, scene.clients[0])


def test_an_interface_that_needs_a_sign_in_says_so_and_an_admin_can_reconnect_from_here(
    practice: Practice, scene: Scene, browser: Browser, admin: User
) -> None:
    page = client_of(admin).get(url(practice, "batches/3/"))
    connect = url(practice, f"interfaces/{scene.lapsed.pk}/connect/")
    assert f'formaction="{connect}"' in page.content.decode()
    assert f'name="next" value="{url(practice, "batches/3/")}"' in page.content.decode()
    assert "Everything waits and goes by itself afterwards; nothing is lost." in text_of(page)
    assert "Xero asks for a new sign-in for Xero Wellington." in text_of(page)
    with acting_for(practice.pk):
        AccountingInterface.objects.filter(pk=scene.lapsed.pk).update(name="Xero")
    assert "Xero asks for a new sign-in. Xero" in text_of(browser.get(url(practice, "batches/3/")))
    told = browser.get(url(practice, "batches/3/"))
    assert connect not in told.content.decode()
    assert "These can sign in: ana@harbour.example." in text_of(told)


def test_reconnecting_goes_to_the_package_and_comes_back_to_the_batch(
    practice: Practice, scene: Scene, admin: User, settings: Any
) -> None:
    settings.PACKAGE_APPS["xero"] |= {"client_id": "id", "client_secret": "secret"}
    there = url(practice, "batches/3/")
    answer = client_of(admin).post(
        url(practice, f"interfaces/{scene.lapsed.pk}/connect/"), {"next": there}
    )
    assert answer.status_code == 302
    assert answer["Location"].startswith(
        settings.PACKAGE_APPS["xero"]["endpoints"][scene.lapsed.package.oauth.authorize[0]]  # type: ignore[union-attr]
    )


def test_a_lane_that_is_held_back_says_when_it_goes_on(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    browser.get("/")
    with time_machine.travel(datetime(2026, 11, 20, 0, 0, tzinfo=UTC), tick=False):
        with acting_for(practice.pk):
            soon = timezone.now() + timedelta(minutes=32)
            Lane.objects.filter(interface=scene.interface).update(hold_until=soon)
        page = text_of(browser.get(url(practice, "batches/2/")))
        assert "Xero Auckland goes on at 13:32." in page
        assert "Xero allows only so many calls a minute. Nothing to do" in page
        with acting_for(practice.pk):
            Lane.objects.filter(interface=scene.interface).update(hold_until=None, open_until=soon)
        page = text_of(browser.get(url(practice, "batches/2/")))
        assert "It has not answered as it should several times." in page
        with acting_for(practice.pk):
            Lane.objects.filter(interface=scene.interface).update(open_until=timezone.now())
        assert "goes on at" not in text_of(browser.get(url(practice, "batches/2/")))


@pytest.mark.parametrize("state", ["paused", "disconnected", "not_connected"])
def test_an_interface_that_is_not_connected_is_named(
    practice: Practice, scene: Scene, browser: Browser, state: str
) -> None:
    with acting_for(practice.pk):
        AccountingInterface.objects.filter(pk=scene.lapsed.pk).update(state=state)
    page = text_of(browser.get(url(practice, "batches/3/")))
    until = "resumed" if state == "paused" else "connected"
    assert f"Everything waits until it is {until}; nothing is lost." in page


def test_contacts_jobs_and_pdfs_are_told_only_when_they_are_not_through(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    heading = "Contacts, jobs, PDFs and credits not through yet"
    finished = text_of(browser.get(url(practice, "batches/1/")))
    assert "PDF ABT-" in finished[finished.index(heading) :]
    running = text_of(browser.get(url(practice, "batches/2/")))
    part = running[running.index(heading) :]
    assert "Contact Mason & Daughters Builders Needs a person" in part
    assert f"Job {scene.job.code} Waiting" in part
    assert heading not in text_of(browser.get(url(practice, "batches/3/")))


def test_one_several_or_all_that_failed_can_be_retried(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    one, two = scene.uploads["refused"], scene.uploads["conflict"]
    answer = browser.post(url(practice, "batches/1/retry/"), {"only": one.pk}, follow=True)
    assert said(answer) == ["1 upload on the way again."]
    assert states(practice, one, two) == ["queued", "needs_person"]
    browser.post(url(practice, "batches/1/retry/"), {"upload": [two.pk, one.pk]}, follow=True)
    assert states(practice, two) == ["unknown"]
    answer = browser.post(url(practice, "batches/1/retry/"), {"all": "failed"}, follow=True)
    assert said(answer) == ["1 upload on the way again."]  # the PDF
    browser.post(url(practice, "batches/1/retry/"), {"all": "not_known"})
    assert states(practice, scene.uploads["not_known"]) == ["unknown"]
    with acting_for(practice.pk):
        assert AuditEntry.objects.filter(action="batch.retried").count() == 4


def test_only_what_the_page_offers_is_retried_at_once(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    answer = browser.post(url(practice, "batches/1/retry/"), {"all": "anything"}, follow=True)
    assert said(answer) == ["Nothing was done: tick at least one row first."]
    assert states(practice, scene.uploads["refused"]) == [State.REFUSED]


def test_what_went_on_in_another_batch_is_not_retried(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    gone = scene.uploads["went_on"]
    answer = browser.post(url(practice, "batches/1/retry/"), {"only": gone.pk}, follow=True)
    assert said(answer) == ["None of these has failed."]
    assert states(practice, gone) == ["refused"]


def test_a_row_of_another_batch_is_not_touched(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    theirs = scene.uploads["refused"]
    waiting = scene.uploads["queued"]
    browser.post(url(practice, "batches/2/retry/"), {"only": theirs.pk})
    browser.post(url(practice, "batches/1/cancel/"), {"upload": waiting.pk})
    assert states(practice, theirs, waiting) == ["refused", "queued"]


def test_only_what_waits_can_be_cancelled(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    waits, going = scene.uploads["queued"], scene.uploads["sending"]
    answer = browser.post(
        url(practice, "batches/2/cancel/"), {"upload": [waits.pk, going.pk]}, follow=True
    )
    assert said(answer) == [
        "1 upload cancelled. What was cancelled can be uploaded again later.",
        "1 upload could not be cancelled: only those that still wait can.",
    ]
    assert states(practice, waits, going) == ["cancelled", "sending"]


def test_failed_invoices_are_parked_with_a_reason(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    refused = scene.uploads["refused"]
    there = url(practice, "batches/1/?show=failed")
    asked = browser.post(url(practice, "batches/1/park/"), {"upload": refused.pk, "next": there})
    assert f"{refused.invoice}, Kauri Point Marina" in text_of(asked)
    posted = {"invoice": refused.invoice_id, "reason": "Entered by hand", "next": there}
    answer = browser.post(url(practice, "upload/park/"), posted, follow=True)
    assert answer.redirect_chain == [(there, 302)]
    assert states(practice, refused) == ["parked"]
    nothing = browser.post(
        url(practice, "batches/1/park/"), {"upload": scene.uploads["sent"].pk}, follow=True
    )
    assert said(nothing) == [
        "Nothing was done: tick at least one that failed or is not known first."
    ]


def test_a_person_can_say_which_document_is_the_invoice(
    practice: Practice, scene: Scene, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the package is asked for real is shown in tests/faults/test_linking.py."""
    conflict = scene.uploads["conflict"]
    assert conflict.invoice
    there = url(practice, f"uploads/{conflict.pk}/link/")

    def look_at(*, practice_id: int, upload_id: int, remote_id: str) -> Posted:
        assert (practice_id, upload_id) == (practice.pk, conflict.pk)
        return Posted(key="x", remote_id=remote_id, number="ABT-00099")

    monkeypatch.setattr(uploads, "look_at", look_at)
    page = text_of(browser.get(there))
    total = money(conflict.invoice.total)
    assert f"Ours In Xero Number {conflict.invoice} ABT-00099 differs Client J Brown J" in page
    assert "J Brown & Sons differs Date 7 Nov 2026 30 Oct 2026 differs" in page
    assert f"Total incl tax NZD {total} NZD 990.00 differs" in page
    assert "Status Committed in Abtrac Paid Open it in Xero" in page
    blank = browser.post(there, {"remote_id": ""})
    assert "This field is required" in text_of(blank)
    where = "Open the document in Xero, and copy its address from the top of the browser."
    taken = scene.uploads["sent"].remote_id
    refused = browser.post(there, {"remote_id": taken})
    assert "That one is linked to invoice" in text_of(refused)
    assert text_of(refused).count(where) == 2  # beside the field always, and in what is wrong
    unknown = browser.get(url(practice, f"uploads/{scene.uploads['not_known'].pk}/link/"))
    assert "Xero could not be asked yet, so it may be there." in text_of(unknown)
    number = scene.uploads["not_known"].invoice
    assert f"Ours: {number}, Waitaki District Council, NZD " in text_of(unknown)
    answer = browser.post(there, {"remote_id": "0c1d-77"}, follow=True)
    assert said(answer) == [f"Invoice {conflict.invoice} is linked to what was there."]
    assert states(practice, conflict) == ["sent"]
    with acting_for(practice.pk):
        told = AuditEntry.objects.get(action="upload.linked")
    assert told.detail == {"upload": conflict.pk, "remote_id": "0c1d-77", "same": True}
    assert browser.get(there).status_code == 404
    assert "Take this back" in text_of(answer)
    back = browser.post(url(practice, f"uploads/{conflict.pk}/unlink/"), follow=True)
    assert said(back) == [f"Invoice {conflict.invoice} is no longer linked to what is there."]
    assert states(practice, conflict) == ["needs_person"]
    again = browser.post(url(practice, f"uploads/{conflict.pk}/unlink/"), follow=True)
    assert said(again) == ["There was nothing to take back."]


def test_what_is_of_another_client_or_total_is_not_offered_to_be_linked_first(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    conflict = scene.uploads["conflict"]
    assert conflict.invoice
    there = url(practice, f"uploads/{conflict.pk}/link/")
    page = browser.get(there)
    told = text_of(page)
    assert "The number is taken in Xero by a document of another client or total." in told
    assert "Change one of the two numbers: " in told
    assert "btn-primary" not in page.content.decode()
    assert "They stand for the same work all the same" in told
    assert "Link it all the same" in told
    # What the table says is not said again.
    assert conflict.reason not in told
    parking = url(practice, "batches/1/park/")
    assert f'formaction="{parking}"' in page.content.decode()
    asked = browser.post(parking, {"only": conflict.pk, "next": url(practice, "batches/1/")})
    assert f"{conflict.invoice}, J Brown" in text_of(asked)
    # Another date alone may be a slip: it is likely the same, and nothing in the table says why.
    reason = "Xero has 2 invoices like ours."
    same = {"contact_name": conflict.invoice.name_on_invoice, "currency": "NZD"}
    with acting_for(practice.pk):
        Upload.objects.filter(pk=conflict.pk).update(
            remote_total=conflict.invoice.total,
            remote_number=conflict.invoice.number,
            there=same,
            reason=reason,
        )
    page = browser.get(there)
    assert "btn-primary" in page.content.decode()
    assert "It is there: link it" in text_of(page)
    assert f"{reason} Open it in Xero" in text_of(page)
    assert "Park it" not in text_of(page)


def test_a_number_our_own_check_found_taken_is_compared_with_what_was_last_read(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    invoice = scene.available[1]
    with acting_for(practice.pk):
        PackageDocument.objects.create(
            interface=scene.interface,
            kind="invoice",
            remote_id="0c1d-99",
            number=invoice.number,
            folded=folded_number(invoice.number),
            contact_name="Somebody Else Ltd",
            issued=invoice.issued,
            currency="NZD",
            total=invoice.total,
            status="AUTHORISED",
        )
        uploads.enqueue(invoice_ids=[invoice.pk], actor=None)
        refused = Upload.objects.get(invoice=invoice, kind="invoice")
    assert (refused.state, refused.code) == ("refused", "number_taken")
    page = browser.get(url(practice, f"uploads/{refused.pk}/link/"))
    told = text_of(page)
    assert "Somebody Else Ltd differs" in told
    assert "Status Committed in Abtrac Authorised" in told
    assert 'value="0c1d-99"' in page.content.decode()


@pytest.mark.parametrize(
    "given",
    [
        "0c1d-77aa",
        "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=0c1d-77aa",
        "https://go.xero.com/app/!x1/invoicing/view/0c1d-77aa/#top",
    ],
)
def test_a_document_is_named_by_the_address_a_person_can_copy(
    practice: Practice,
    scene: Scene,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
) -> None:
    asked = []

    def look_at(*, practice_id: int, upload_id: int, remote_id: str) -> Posted:
        asked.append(remote_id)
        return Posted(key="x", remote_id=remote_id, number="ABT-00099")

    monkeypatch.setattr(uploads, "look_at", look_at)
    unsure = scene.uploads["not_known"]
    there = url(practice, f"uploads/{unsure.pk}/link/")
    assert "Its address in Xero" in text_of(browser.get(there))
    wrong = browser.post(there, {"remote_id": "https://go.xero.com/Dashboard.aspx"})
    assert "That is no document's address. Open the document in Xero, and" in text_of(wrong)
    browser.post(there, {"remote_id": given})
    assert asked == ["0c1d-77aa"]
    assert states(practice, unsure) == ["sent"]


def test_ours_is_compared_as_it_was_frozen(
    practice: Practice, scene: Scene, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    conflict = scene.uploads["conflict"]
    frozen = {
        "key": "x",
        "number": "OLD-1",
        "contact": {"name": "J Brown & Sons"},
        "issued": "2026-10-31",
        "currency": "AUD",
        "total": "1990.00",
    }
    with acting_for(practice.pk):
        Upload.objects.filter(pk=conflict.pk).update(document=frozen)
    found = Conflict(
        key="x",
        message="It is voided in Xero.",
        remote_id="0c1d-77",
        number="old-1",
        contact_name="Others <i>Ltd</i>",
        issued=date(2026, 10, 31),
        currency="NZD",
        total=Decimal("1990.00"),
        status="Voided",
    )
    monkeypatch.setattr(uploads, "look_at", lambda **asked: found)
    there = url(practice, f"uploads/{conflict.pk}/link/")
    answer = browser.post(there, {"remote_id": "0c1d-77"})
    assert "<i>" not in answer.content.decode()
    page = text_of(answer)
    # Numbers are compared as packages do; a total in another currency is another total.
    assert "Number OLD-1 old-1 Client J Brown & Sons Others <i>Ltd</i> differs" in page
    assert "Date 31 Oct 2026 31 Oct 2026 Total incl tax AUD 1,990.00 NZD 1,990.00 differs" in page
    assert "Status Committed in Abtrac Voided" in page
    # What stands no more is never ours, however often that is said.
    assert "It is voided in Xero, so nothing can be linked to it." in page
    assert "Link it all the same" not in page
    insists = browser.post(there, {"remote_id": "0c1d-77", "differs": "0c1d-77"})
    assert "It is voided in Xero, so nothing can be linked to it. Open" in text_of(insists)
    assert states(practice, conflict) == ["needs_person"]


def test_what_may_have_arrived_is_only_ever_looked_for_again(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    page = browser.get(url(practice, "batches/1/"))
    refused = row_of(page, scene.uploads["refused"])
    assert "Retry: send again" in refused
    for name in ("not_known", "conflict"):
        row = row_of(page, scene.uploads[name])
        assert "Retry: look again" in row
        assert "Looking again sends it only if Xero has not got it." in row
        assert "send again" not in row
    conflict = scene.uploads["conflict"]
    there = text_of(browser.get(url(practice, f"uploads/{conflict.pk}/link/")))
    assert f"sends {conflict.invoice} only if Xero has nothing in its place." in there
    for name, after in {"refused": "queued", "not_known": "unknown", "conflict": "unknown"}.items():
        browser.post(url(practice, "batches/1/retry/"), {"only": scene.uploads[name].pk})
        assert states(practice, scene.uploads[name]) == [after], name


def test_what_is_sent_again_shows_when_the_package_had_not_got_it(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    retried = scene.uploads["retry"]
    with acting_for(practice.pk):
        for before, after, minute in (
            ("unknown", "queued", 10),
            ("sending", "unknown", 30),
            ("unknown", "queued", 32),
            ("claimed", "queued", 50),
        ):
            at = datetime(2026, 11, 20, 1, minute, tzinfo=UTC)
            UploadEvent.objects.create(upload=retried, before=before, after=after, at=at)
    browser.get("/")
    with time_machine.travel(datetime(2026, 11, 20, 3, 0, tzinfo=UTC), tick=False):
        page = browser.get(url(practice, "batches/2/"))
        assert "Xero did not have it at 14:32." in row_of(page, retried)
        assert "did not have it" not in row_of(page, scene.uploads["queued"])
        with acting_for(practice.pk):
            # Sent again it may have arrived: what was so before proves nothing now.
            Upload.objects.filter(pk=retried.pk).update(state=State.UNKNOWN)
        page = browser.get(url(practice, "batches/2/"))
        assert "did not have it" not in row_of(page, retried)


def test_a_link_whose_pdf_is_being_sent_is_not_taken_back_yet(
    practice: Practice, browser: Browser, scene: Scene
) -> None:
    conflict = scene.uploads["conflict"]
    with acting_for(practice.pk):
        Upload.objects.filter(pk=conflict.pk).update(state="sent", linked=True, remote_id="0c1d-77")
        Upload.objects.create(
            interface=conflict.interface,
            batch=conflict.batch,
            invoice=conflict.invoice,
            kind="pdf",
            state="sending",
            document={"key": "k/pdf", "document_id": "0c1d-77"},
        )
    answer = browser.post(url(practice, f"uploads/{conflict.pk}/unlink/"), follow=True)
    [told] = said(answer)
    assert "Wait until the batch is finished, then take the link back." in told
    assert states(practice, conflict) == ["sent"]


def test_a_viewer_sees_a_batch_and_cannot_act(practice: Practice, scene: Scene) -> None:
    viewer = client_of(make_member(practice, Role.VIEWER))
    page = viewer.get(url(practice, "batches/1/"))
    body = page.content.decode()
    assert "Refused" in body
    for word in ("Retry", "It is there already", 'type="checkbox"', "Park selected"):
        assert word not in body
    refused = scene.uploads["refused"]
    for path in ("retry/", "cancel/", "park/"):
        posted = {"upload": refused.pk, "only": refused.pk}
        assert viewer.post(url(practice, f"batches/1/{path}"), posted).status_code == 403
    assert viewer.get(url(practice, f"uploads/{refused.pk}/link/")).status_code == 403
    assert states(practice, refused) == ["refused"]


def test_another_practices_batches_are_not_there(practice: Practice, scene: Scene) -> None:
    other = make_practice("Elsewhere Architects")
    stranger = client_of(make_member(other, Role.ADMIN))
    refused = scene.uploads["refused"]
    for path in ("batches/1/", "batches/1/progress/", f"uploads/{refused.pk}/link/"):
        assert stranger.get(url(practice, path)).status_code == 404
        assert stranger.get(url(other, path)).status_code == 404
    for path in ("retry/", "cancel/", "park/"):
        assert stranger.post(url(other, f"batches/1/{path}"), {"all": 1}).status_code == 404
    assert states(practice, refused) == ["refused"]


@pytest.mark.parametrize("number", ["0", "4", "9" * 30])
def test_a_batch_that_is_not_there_is_404(
    practice: Practice, scene: Scene, browser: Browser, number: str
) -> None:
    assert browser.get(url(practice, f"batches/{number}/")).status_code == 404


def test_a_batch_costs_the_same_however_many_rows_it_has(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    browser.get(url(practice, "batches/1/"))  # the summary is told once
    with acting_for(practice.pk):
        small = make_batch(7)
        make_upload(small, _another(scene), State.QUEUED)
        large = make_batch(8)
        for _ in range(49):
            make_upload(large, _another(scene), State.QUEUED)
        behind = make_batch(9)
        client = scene.job.client
        make_step(behind, scene.interface, client=client)
        for _ in range(20):
            make_upload(behind, make_invoice(scene.office, client, job=scene.job))
    paths = ["batches/7/", "batches/8/", "batches/9/", "batches/1/", "batches/2/", "batches/"]
    costs = {}
    for path in paths:
        with counted_queries() as queries:
            page = browser.get(url(practice, path))
        costs[path] = len(queries)
        assert len(page.content) < 60_000, path
    assert costs["batches/7/"] == costs["batches/8/"]
    # What invoices wait for is asked once for all of them, and once more where jobs are coming.
    # The menu asks how much needs attention.
    assert max(costs.values()) <= 16, costs


def test_a_batch_of_many_is_paged_and_still_counted(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        batch = make_batch(9)
        for _ in range(55):
            make_upload(batch, _another(scene), State.QUEUED)
    page = browser.get(url(practice, "batches/9/?per_page=500&page=2"))
    assert len(list(page.context["table"].paginated_rows)) == 5
    assert "0 of 55 sent, 55 on the way" in text_of(page)


def test_a_batch_made_for_a_void_clients_or_jobs_tells_of_those(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    client, job, sent = scene.clients[0], scene.job, scene.uploads["sent"]
    assert sent.invoice
    with acting_for(practice.pk):
        batches = [make_batch(number, finished=True) for number in (7, 8, 9)]
        for one, origin in zip(batches, ("void", "contact", "job"), strict=True):
            Batch.objects.filter(pk=one.pk).update(origin=origin)
        void, contacts, jobs = batches
        make_upload(void, sent.invoice, "voided", kind="void")
        make_step(contacts, scene.interface, client=client, state="sent", remote_id="c-1")
        refused = make_step(
            contacts, scene.interface, client=scene.clients[1], state="refused", reason="No name."
        )
        make_step(jobs, scene.interface, job=job, state="sent", remote_id="j-1")
    for number, words, row, tabs in (
        (7, "1 of 1 voided", [sent.invoice.number, "Voided"], "All 1 Sent 1"),
        (8, "1 of 2 sent, 1 refused", [client.name, client.abtrac_id, "Sent"], "All 2 Failed 1"),
        (9, "1 of 1 sent", [str(job), "Sent"], "All 1 Sent 1"),
    ):
        page = browser.get(url(practice, f"batches/{number}/"))
        told = text_of(page)
        assert words in told and tabs in told, number
        assert all(one in told for one in row), number
        file = browser.get(url(practice, f"batches/{number}/batch.csv")).getvalue().decode()
        assert all(one in file for one in (row[0], row[-1])), number
        with counted_queries() as asked:
            browser.get(url(practice, f"batches/{number}/"))
        assert len(asked) <= 14
    history = text_of(browser.get(url(practice, "batches/")))
    assert "Void Abtrac 1 void 1 0 0 0 Finished" in history
    assert "Clients Abtrac 2 clients 1 1 0 0 Some failed" in history
    assert "Jobs Abtrac 1 job 1 0 0 0 Finished" in history
    # It is retried like any other.
    answer = browser.post(url(practice, "batches/8/retry/"), {"upload": refused.pk}, follow=True)
    assert "1 upload on the way again." in said(answer)
    told = text_of(browser.get(url(practice, "batches/8/")))
    assert "1 of 2 sent, 1 on the way" in told and "Cancel selected" in told
    answer = browser.post(url(practice, "batches/8/cancel/"), {"upload": refused.pk}, follow=True)
    assert "1 upload cancelled." in said(answer)[0]
