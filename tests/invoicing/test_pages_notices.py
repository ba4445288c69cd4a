"""What people read of things that wait, or are late, and what support reads of all practices."""

import zoneinfo
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client as Browser
from django.utils import timezone

from interfaces.models import AccountingInterface, Lane, PackageBreaker
from invoicing import notices
from invoicing.models import Exchange, Notice, Upload
from invoicing.words import clock_time
from offices.models import Practice, Role, User
from offices.people import grant_support
from offices.tenancy import acting_for
from tests.factories import make_interface, make_invoice, make_member, make_practice, make_user
from tests.invoicing.late import DAY, ago, make_late
from tests.invoicing.pages import client_of, counted_queries, text_of, url
from tests.invoicing.scene import Scene, make_batch, make_scene, make_upload

pytestmark = pytest.mark.django_db

Kind = Notice.Kind
State = Upload.State
HOUR = timedelta(hours=1)
TROUBLE = "Xero is having trouble."


@pytest.fixture
def scene(practice: Practice) -> Scene:
    """Every state."""
    with acting_for(practice.pk):
        return make_scene(make_member(practice, Role.ADMIN))


@pytest.fixture
def browser(practice: Practice) -> Browser:
    """The browser of somebody who may look."""
    return client_of(make_member(practice, Role.VIEWER))


def notice(interface: AccountingInterface, kind: Kind, **fields: Any) -> Notice:
    """An open notice of that kind."""
    return Notice.objects.create(
        practice_id=interface.practice_id,
        interface=interface,
        kind=kind,
        **{"since": timezone.now() - 3 * DAY, "uploads": 1200, **fields},
    )


def open_breaker(interface: AccountingInterface, after: timedelta = HOUR) -> datetime:
    """Stop its calls for so long; until when."""
    until = timezone.now() + after
    Lane.objects.filter(interface=interface).update(open_until=until)
    return until


# --- For the practice's own people ---------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_a_notice_stands_on_the_list_of_batches_and_with_its_interface(
    practice: Practice, scene: Scene, browser: Browser, kind: Kind
) -> None:
    since = _as_written(practice, notice(scene.interface, kind).since)
    listed = text_of(browser.get(url(practice, "batches/")))
    there = text_of(browser.get(url(practice, f"interfaces/{scene.interface.pk}/")))
    assert f"Xero Auckland : {kind.label.lower()}." in listed
    assert f" {kind.label}. " in there
    for page in (listed, there):
        assert ("1,200 uploads" in page) == (kind not in {Kind.CODES, Kind.PAYMENTS})
        assert f" since {since}" in page
    elsewhere = text_of(browser.get(url(practice, f"interfaces/{scene.lapsed.pk}/")))
    assert f"{kind.label}." not in elsewhere
    Notice.objects.update(cleared_at=timezone.now())
    assert f"{kind.label.lower()}." not in text_of(browser.get(url(practice, "batches/")))


def test_a_batch_says_at_its_top_what_keeps_it_from_moving(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    notice(scene.interface, Kind.NOT_TAKEN, uploads=1)
    notice(scene.interface, Kind.UNTOUCHED)
    notice(scene.lapsed, Kind.WAITING)
    page = text_of(browser.get(url(practice, "batches/2/")))
    assert "Xero Auckland : due and not taken. 1 upload due since " in page
    assert "This is our fault, not yours; Abtrac's support sees it too." in page
    # Not what is no reason to wait, not of another interface, and not once it is finished.
    assert "failed and left" not in page
    assert "Xero Wellington" not in page
    assert "due and not taken" not in text_of(browser.get(url(practice, "batches/1/")))


def test_a_batch_says_why_its_uploads_wait_and_until_when(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        batch = make_batch(7)
        soon = timezone.now() + timedelta(minutes=20)
        later = timezone.now() + timedelta(minutes=40)
        for due in (later, soon):
            make_upload(batch, _another(scene), due=due, reason="Xero could not be reached.")
        make_upload(batch, _another(scene), due=soon, reason="Xero is being updated.")
        make_upload(batch, _another(scene))
        make_upload(batch, _another(scene), State.UNKNOWN, due=later)
    page = text_of(browser.get(url(practice, "batches/7/")))
    head = page[: page.index("Invoice No")]
    assert (
        f"2 uploads tried again from {_as_written(practice, soon)}: Xero could not be reached."
        in head
    )
    assert f"1 upload tried again at {_as_written(practice, soon)}: Xero is being updated." in head
    assert "1 upload: it is not known yet whether it arrived. We look again at " in head
    assert f"{_as_written(practice, later)}; please do not enter anything by hand." in head
    with acting_for(practice.pk):
        Upload.objects.filter(batch=batch).update(state=State.CANCELLED)
    assert "tried again" not in text_of(browser.get(url(practice, "batches/7/")))


def test_a_package_in_trouble_is_told_once_on_each_page(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    with acting_for(practice.pk):
        second = make_interface(name="Xero Hamilton")
    paths = ["batches/", "batches/2/", f"interfaces/{scene.interface.pk}/"]
    assert not any(TROUBLE in text_of(browser.get(url(practice, path))) for path in paths)
    until = open_breaker(scene.interface)
    sooner = open_breaker(second, after=HOUR / 2)
    for path in paths:
        assert text_of(browser.get(url(practice, path))).count(TROUBLE) == 1, path
    # Another interface of the practice is none of this batch's.
    for path, tried in (("batches/", sooner), ("batches/2/", until)):
        words = f"Xero is tried again at {_as_written(practice, tried)}."
        assert words in text_of(browser.get(url(practice, path)))
    open_breaker(scene.interface, after=-HOUR)
    assert TROUBLE not in text_of(browser.get(url(practice, "batches/2/")))
    assert TROUBLE in text_of(browser.get(url(practice, "batches/")))


def test_a_package_in_trouble_with_others_is_in_trouble_here_too(
    practice: Practice, scene: Scene, browser: Browser
) -> None:
    PackageBreaker.objects.create(
        package_key="xero", open_until=timezone.now() + HOUR, open_seconds=60
    )
    for path in ("batches/", "batches/2/", f"interfaces/{scene.interface.pk}/"):
        assert text_of(browser.get(url(practice, path))).count(TROUBLE) == 1, path
    PackageBreaker.objects.update(open_until=timezone.now() - HOUR)
    # Held back by the package's own wish it would not be tried before that is over.
    Lane.objects.update(hold_until=None)
    assert "Xero is being tried again now." in text_of(browser.get(url(practice, "batches/")))
    # What is finished waits for nothing, and what is not connected waits for somebody else.
    assert TROUBLE not in text_of(browser.get(url(practice, "batches/1/")))
    assert TROUBLE not in text_of(browser.get(url(practice, "batches/3/")))


def _another(scene: Scene) -> Any:
    return make_invoice(scene.office, scene.clients[0])


def _as_written(practice: Practice, moment: datetime) -> str:
    """The moment as the practice's pages write it."""
    with timezone.override(zoneinfo.ZoneInfo(practice.time_zone)):
        return clock_time(moment)


# --- For support ---------------------------------------------------------------------------------


@pytest.fixture
def sam(db: None) -> User:
    """Somebody of Abtrac's support."""
    return make_user("sam@abtrac.example", is_support=True)


@pytest.fixture
def late(practice: Practice) -> tuple[Practice, AccountingInterface]:
    """A practice with uploads that are late in two ways."""
    with acting_for(practice.pk):
        interface = make_interface(payments_read_at=ago(3 * HOUR), codes_read_at=ago(3 * HOUR))
        make_late(interface, State.REFUSED, 9 * DAY)
        make_late(interface, State.QUEUED, 3 * DAY, due=ago(-HOUR))
        Exchange.objects.create(
            interface=interface, method="PUT", path="/", body=b"", status=500, answered_at=ago(HOUR)
        )
    notices.watch(everywhere=True)
    return practice, interface


def rows(page: Any) -> list[str]:
    """What each row of the page says."""
    body = page.content.decode()
    return [text_of(_Part(row)) for row in body[body.index("<tbody>") :].split("<tr>")[1:]]


class _Part:
    def __init__(self, body: str) -> None:
        self.content = body.encode()


def test_support_sees_what_is_late_by_practice_the_oldest_first(
    late: tuple[Practice, AccountingInterface], sam: User
) -> None:
    _, interface = late
    older = make_practice("Ridge Engineers")
    with acting_for(older.pk):
        theirs = make_interface()
        notice(theirs, Kind.CODES, uploads=0, since=ago(20 * DAY))
        notice(theirs, Kind.WAITING, since=ago(DAY))
    told = rows(client_of(sam).get("/support/"))
    assert [row.split(" Xero ")[0] for row in told] == [
        *("Ridge Engineers", "Ridge Engineers"),
        *("Harbour Architects", "Harbour Architects"),
    ]
    assert " Codes not read " in told[0]
    assert " Waiting for the package 1,200 " in told[1]
    assert " Failed and left 1 " in told[2]
    assert " Waiting for the package 1 " in told[3]
    with acting_for(interface.practice_id):
        answered = Exchange.objects.get(interface=interface).answered_at
    assert f" {answered:%H:%M} Nothing holds them back Remind the practice" in told[2]
    assert " None yet Nothing holds them back See in the log why reading fails" in told[0]


def test_support_sees_what_stops_or_holds_back_the_calls(
    late: tuple[Practice, AccountingInterface], sam: User
) -> None:
    _, interface = late
    Lane.objects.filter(interface=interface).update(
        hold_until=ago(-HOUR), hold_reason="What Harbour View Trust was told."
    )
    page = client_of(sam).get("/support/")
    assert "Held back until " in rows(page)[0]
    assert "Harbour View Trust" not in text_of(page)
    open_breaker(interface)
    assert "Stopped until " in rows(client_of(sam).get("/support/"))[0]
    PackageBreaker.objects.create(package_key="xero", open_until=ago(-HOUR), open_seconds=60)
    page = client_of(sam).get("/support/")
    assert "Xero is having trouble with many practices since " in text_of(page)


def test_support_can_find_the_practice_and_the_oldest_upload_and_reads_what_to_do(
    late: tuple[Practice, AccountingInterface], sam: User
) -> None:
    practice, interface = late
    with acting_for(practice.pk):
        oldest = Upload.objects.select_related("batch", "invoice").get(state=State.QUEUED)
    page = client_of(sam).get("/support/")
    waits = next(row for row in rows(page) if "Waiting for the package" in row)
    assert f" Xero practice {practice.pk}, interface {interface.pk} " in waits
    assert f" batch {oldest.batch.number}, upload {oldest.pk} " in waits
    assert waits.endswith("the history of the oldest upload says what stops this one.")
    told = text_of(page)
    assert "no client's name, no amount and no invoice number" in told
    assert oldest.invoice
    for secret in (oldest.invoice.number, oldest.invoice.name_on_invoice):
        assert secret not in told


@pytest.mark.parametrize("kind", Kind)
def test_of_everything_that_is_late_support_reads_what_to_do(
    practice: Practice, sam: User, kind: Kind
) -> None:
    with acting_for(practice.pk):
        notice(make_interface(), kind, uploads=0)
    (row,) = rows(client_of(sam).get("/support/"))
    assert " Nothing holds them back " in row
    assert len(row.split(" Nothing holds them back ")[1]) > 40


def test_a_grant_leads_through_and_without_one_there_is_no_link(
    late: tuple[Practice, AccountingInterface], sam: User
) -> None:
    practice, interface = late
    there = url(practice, f"interfaces/{interface.pk}/")
    browser = client_of(sam)
    assert there not in browser.get("/support/").content.decode()
    assert practice.slug not in browser.get("/support/").content.decode()
    grant_support(
        practice=practice,
        user=sam,
        granted_by=make_member(practice),
        reason="Late",
        ends_at=timezone.now() + HOUR,
    )
    assert f'href="{there}"' in browser.get("/support/").content.decode()
    batch = url(practice, "batches/900/")
    assert f'href="{batch}"' in browser.get("/support/").content.decode()
    assert browser.get(there).status_code == 200


def test_nothing_late_is_said_and_so_is_that_nobody_looks(sam: User) -> None:
    browser = client_of(sam)
    cache.clear()
    assert "It is not known when what is late was last looked for" in text_of(
        browser.get("/support/")
    )
    notices.watch()
    page = text_of(browser.get("/support/"))
    assert "Nothing is older than its limit." in page
    assert "Nobody looks at present" not in page
    cache.set("notices-looked-at", ago(timedelta(minutes=6)))
    assert "Nobody looks at present. What is late was last looked for at " in text_of(
        browser.get("/support/")
    )


def test_the_page_is_there_for_support_alone_and_with_a_code(
    practice: Practice, sam: User, settings: Any
) -> None:
    for role in Role:
        assert client_of(make_member(practice, role)).get("/support/").status_code == 404
    assert Browser().get("/support/")["Location"] == "/accounts/login/?next=/support/"
    browser = client_of(sam)
    assert "Overdue in all practices" in text_of(browser.get("/"))
    assert browser.post("/support/").status_code == 405
    settings.REQUIRE_TOTP = True
    assert browser.get("/support/")["Location"] == "/accounts/2fa/totp/activate/"


def test_the_page_costs_the_same_however_much_is_late(
    late: tuple[Practice, AccountingInterface], sam: User
) -> None:
    browser = client_of(sam)
    with counted_queries() as few:
        browser.get("/support/")
    for _ in range(12):
        other = make_practice("Another")
        with acting_for(other.pk):
            for kind in Kind:
                notice(make_interface(), kind)
    with counted_queries() as many:
        page = browser.get("/support/")
    assert len(rows(page)) == 2 + 12 * len(Kind)
    assert len(many) == len(few)
