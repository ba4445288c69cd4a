"""Jobs as options of one tracking category."""

from collections.abc import Sequence
from urllib.parse import quote

from connectors.base.documents import Conflict, Job, Key, Posted
from connectors.base.errors import OutcomeUnknown, Rejected
from connectors.base.protocol import Found, Outcome
from connectors.xero.books import Books, after_a_write
from connectors.xero.creating import Record, one_by_one
from connectors.xero.mapping import OPTION_LENGTH, Preferences
from connectors.xero.refusals import of_one, refusal
from connectors.xero.wire import LABEL, records, remote_id, text

PATH = "/TrackingCategories"
ID = "TrackingOptionID"


def find(books: Books, jobs: Sequence[Job]) -> dict[Key, Found]:
    """Jobs that are options already; an archived one is left to a person."""
    category = _category(books)
    if category is None:
        return {}
    # Of one name those in use come last, so that they count before an archived one.
    listed = sorted(records(category.get("Options")), key=_in_use)
    options = {text(one, "Name").casefold(): one for one in listed}
    found: dict[Key, Found] = {}
    for job in jobs:
        option = options.get(job.code.casefold())
        if option is not None:
            found[job.key] = _found(job, option)
    return found


def post(books: Books, jobs: Sequence[Job], *, call_key: str) -> list[Outcome]:
    """Create the options; Xero takes one a call."""
    category = _category(books)
    if category is None:
        return [_no_category(books) for _ in jobs]
    return one_by_one(
        jobs, lambda job, key: _post(books, category, job, call_key=key), call_key=call_key
    )


def _post(books: Books, category: Record, job: Job, *, call_key: str) -> Outcome:
    if len(job.code) > OPTION_LENGTH or not job.code.strip():
        return Rejected(
            f"{LABEL} takes job codes of 1 to {OPTION_LENGTH} characters.",
            field="job",
            code="job_code",
            next_step="Correct the job in Abtrac, then retry.",
        )
    category_id = quote(remote_id(category, "TrackingCategoryID"), safe="")
    try:
        answer = books.http.write(
            "PUT",
            f"{PATH}/{category_id}/Options",
            {"Name": job.code},
            idempotency_key=call_key,
        )
    except Rejected as refused:
        # It may be there by now; the wording of that refusal is not published.
        with after_a_write():
            return find(books, [job]).get(job.key, _told(refused))
    options = records(answer.get("Options")) if isinstance(answer, dict) else []
    option = next((one for one in options if text(one, "Name") == job.code), None)
    if option is None:
        raise OutcomeUnknown(f"{LABEL} did not answer for job {job.code}.")
    if refused_option := refusal(option):
        return refused_option
    if not remote_id(option, ID):
        raise OutcomeUnknown(f"{LABEL} gave no id for job {job.code}.")
    return Posted(key=job.key, remote_id=remote_id(option, ID), number=job.code)


def _told(refused: Rejected) -> Rejected:
    told = of_one(refused)
    return Rejected(
        str(told),
        field="job",
        code=told.code,
        next_step="Add the job to the tracking category in Xero, then retry.",
        words=told.words,
        others=told.others,
    )


def _category(books: Books) -> Record | None:
    """The category that carries jobs, with all its options; None when there is none in use."""
    wanted = Preferences.of(books.settings).tracking.casefold()
    answer = books.http.read(PATH, includeArchived=True)
    listed = records(answer.get("TrackingCategories")) if isinstance(answer, dict) else []
    for one in listed:
        if text(one, "Name").casefold() == wanted and text(one, "Status") == "ACTIVE":
            return one
    return None


def _no_category(books: Books) -> Rejected:
    name = Preferences.of(books.settings).tracking
    return Rejected(
        f"{LABEL} has no tracking category “{name}” in use.",
        field="job",
        code="no_category",
        next_step="Add it in Xero, or name another one under Interface Settings, then retry.",
    )


def _in_use(option: Record) -> bool:
    return text(option, "Status") in {"", "ACTIVE"}


def _found(job: Job, option: Record) -> Found:
    if not _in_use(option):
        return Conflict(
            key=job.key,
            message=f"Job {job.code} is archived in {LABEL}'s tracking category.",
            next_step="Restore the option in Xero, then retry.",
            remote_id=remote_id(option, ID),
            number=text(option, "Name"),
        )
    return Posted(key=job.key, remote_id=remote_id(option, ID), number=text(option, "Name"))
