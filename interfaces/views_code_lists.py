"""The page that takes a package's own list of codes, where the package cannot be read."""

from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from connectors.base.protocol import ReadsCodes
from interfaces import assistance, codes, selectors
from interfaces.code_lists import (
    MOST_BYTES,
    Changes,
    CodeList,
    Kind,
    ListRefused,
    compare,
    decode,
    parse,
)
from interfaces.forms import CodeListForm
from interfaces.models import AccountingInterface
from offices.access import PracticeRequest, practice_view
from offices.audit import record_request
from offices.models import Role

SALT = "interfaces.code_lists"
# Between the preview and the confirmation nothing is kept here: the page carries the list.
KEPT_SECONDS = 3600
WORDS = {Kind.ACCOUNTS: "account codes", Kind.TAXES: "tax codes"}


@require_http_methods(["GET", "HEAD", "POST"])
@practice_view(Role.ADMIN)
def import_codes(request: PracticeRequest, *, interface_id: int) -> HttpResponse:
    """First what a list would change, then, once that is confirmed, the list itself."""
    interface = get_object_or_404(
        AccountingInterface.objects.select_for_update(no_key=True), pk=interface_id
    )
    if interface.package.can(ReadsCodes):
        messages.info(
            request, f"No list is needed: the codes are read from {interface.package.label}."
        )
        return _to_codes(request, interface)
    if "list" in request.POST:
        return _confirmed(request, interface, request.POST["list"])
    form = CodeListForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"interface": interface, "form": form}
    if request.method == "POST" and form.is_valid():
        kind = Kind(form.cleaned_data["kind"])
        try:
            text, encoding = decode(form.cleaned_data["file"].read(MOST_BYTES + 1))
            found = parse(text, kind=kind, encoding=encoding)
        except ListRefused as error:
            context["faults"] = error.faults
        else:
            carried = {"of": interface.pk, "kind": kind, "text": text, "encoding": encoding}
            context |= {
                "found": found,
                "words": WORDS[kind],
                "changes": _changes(interface, found),
                "carried": signing.dumps(carried, salt=SALT, compress=True),
            }
    return render(request, "interfaces/import_codes.html", context)


def _confirmed(
    request: PracticeRequest, interface: AccountingInterface, carried: str
) -> HttpResponse:
    try:
        kept = signing.loads(carried, salt=SALT, max_age=KEPT_SECONDS)
        if kept["of"] != interface.pk:
            raise signing.BadSignature
    except signing.BadSignature:
        messages.warning(
            request, "Nothing was done: too much time went by. Choose the file once more."
        )
        return redirect(request.path)
    kind = Kind(kept["kind"])
    found = parse(kept["text"], kind=kind, encoding=kept["encoding"])
    changes = _changes(interface, found)
    codes.take_list(interface, found)
    assistance.keep_missing(interface)
    record_request(
        request,
        "interface.codes_imported",
        interface.name,
        interface=interface.pk,
        list=WORDS[kind],
        read_as=found.read_as,
        before=changes.before,
        after=changes.after,
        new=changes.new,
        changed=changes.changed,
        gone=changes.gone,
    )
    messages.success(
        request,
        f"The list of {WORDS[kind]} is in: {len(changes.new)} new, {len(changes.changed)} changed,"
        f" {len(changes.gone)} no longer in the list.",
    )
    return _to_codes(request, interface)


def _changes(interface: AccountingInterface, found: CodeList) -> Changes:
    if found.kind is Kind.ACCOUNTS:
        return compare(found, selectors.accounts_of(interface))
    return compare(found, selectors.taxes_of(interface))


def _to_codes(request: PracticeRequest, interface: AccountingInterface) -> HttpResponse:
    return redirect(
        "interfaces:codes", practice_slug=request.practice.slug, interface_id=interface.pk
    )
