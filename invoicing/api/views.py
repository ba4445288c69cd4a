"""What can be called. Each call works for the practice of its key, in one transaction."""

import hashlib
import re
import zoneinfo
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from invoicing import invoices, pdfs, words
from invoicing.api import described, told, upserts
from invoicing.api.access import HasPracticeKey, PracticeKeyAuthentication
from invoicing.api.answers import (
    CommittedAnswer,
    InvoiceAnswer,
    KeptPdfAnswer,
    UploadsAnswer,
    VoidAnswer,
)
from invoicing.api.fields import INVOICE_ID
from invoicing.api.parsing import ExactJson, Pdf
from invoicing.api.problems import Choice, Problem, Problems, TooLarge, printable
from invoicing.api.reading import (
    ClientRows,
    Given,
    InvoiceRows,
    InvoiceSettingRows,
    JobRows,
    OfficeRows,
    VoidReason,
    read_ids,
    read_reason,
    read_rows,
)
from invoicing.api.replays import Answer, answer_once
from invoicing.api.rows import Row
from invoicing.api.upserts import store_clients, store_jobs, store_offices, store_settings
from invoicing.api.upserts_invoices import store_invoices
from invoicing.models import Batch, Invoice
from offices.audit import address_of, record
from offices.models import Practice, PracticeKey
from offices.tenancy import acting_for

LIMIT, MOST = described.USUAL_PAGE, described.LONGEST_PAGE


class PracticeView(APIView):
    """A call by the holder of a practice's key."""

    authentication_classes = [PracticeKeyAuthentication]
    permission_classes = [HasPracticeKey]
    parser_classes: Sequence[type[BaseParser]] = [ExactJson]

    @property
    def key(self) -> PracticeKey:
        """The key it was called with."""
        key = self.request.auth
        assert isinstance(key, PracticeKey)  # noqa: S101 - the permission, told to the type checker
        return key

    @property
    def practice(self) -> Practice:
        """The practice of the key."""
        return self.key.practice

    def once(self, read: Callable[[], Any], work: Callable[[Any], Answer]) -> Response:
        """Answer a call that changes something: once, if it names an Idempotency-Key."""
        body = self.request._request.body  # bounded here; the parser then reads from memory
        named = f"{self.request.method} {self.request.path}\n".encode()
        answer = answer_once(
            practice_id=self.practice.pk,
            key=self.request.headers.get("Idempotency-Key"),
            request_hash=hashlib.sha256(named + body).hexdigest(),
            read=read,
            work=work,
        )
        headers = {"Idempotent-Replayed": "true"} if answer.replayed else {}
        return Response(answer.body, status=answer.status, headers=headers)

    def told(
        self, tell: Callable[[], dict[str, Any]], answer: type[serializers.Serializer[Any]]
    ) -> Response:
        """Answer a call that only asks: words in the practice's time zone, moments in UTC."""
        zone = zoneinfo.ZoneInfo(self.practice.time_zone)
        with acting_for(self.practice.pk), timezone.override(zone):
            found = tell()
        return Response(answer(found).data)

    def record(self, action: str, subject: str = "", **detail: Any) -> None:
        """Put into the practice's record what was done with the key."""
        record(
            actor=None,
            action=action,
            subject=subject,
            detail={"key": self.key.prefix, **detail},
            address=address_of(self.request._request),
        )


class _Rows(PracticeView):
    """Rows to be stored under Abtrac's own ids."""

    noun: ClassVar[str]
    rows: ClassVar[type[Row]]

    @staticmethod
    def store(given: Sequence[Given], problems: Sequence[Problem]) -> upserts.Tally:
        """Store them, or raise Problems."""
        raise NotImplementedError

    def put(self, request: Request) -> Response:
        return self.once(lambda: read_rows(self.rows(), request.data), self._work)

    def post(self, request: Request) -> Response:
        return self.put(request)

    def _work(self, read: tuple[list[Given], list[Problem]]) -> Answer:
        upserts.hold_practice()
        tally = self.store(*read)
        if tally.created or tally.changed:
            self.record(f"{self.noun}.stored", **asdict(tally))
        return Answer(body=asdict(tally))


@described.rows("invoice_settings", InvoiceSettingRows, "Store invoice settings")
class InvoiceSettings(_Rows):
    """Numbering, terms and tax."""

    noun, rows, store = "invoice_settings", InvoiceSettingRows, staticmethod(store_settings)


@described.rows("offices", OfficeRows, "Store offices")
class Offices(_Rows):
    """Branches of the practice, each with the invoice setting it uses."""

    noun, rows, store = "offices", OfficeRows, staticmethod(store_offices)


@described.rows("clients", ClientRows, "Store clients")
class Clients(_Rows):
    """The practice's customers."""

    noun, rows, store = "clients", ClientRows, staticmethod(store_clients)


@described.rows("jobs", JobRows, "Store jobs")
class Jobs(_Rows):
    """Jobs (projects) of clients sent before."""

    noun, rows, store = "jobs", JobRows, staticmethod(store_jobs)


@described.rows("invoices", InvoiceRows, "Store invoices with their lines")
class Invoices(_Rows):
    """Invoices and credit notes. Committed ones can be repeated, not changed."""

    noun, rows, store = "invoices", InvoiceRows, staticmethod(store_invoices)


class _Move(PracticeView):
    """Invoices to be moved through their life."""

    action: ClassVar[str]

    @staticmethod
    def move(*, invoice_ids: Sequence[str]) -> invoices.Moved:
        """Move them, or raise Refused."""
        raise NotImplementedError

    def post(self, request: Request) -> Response:
        return self.once(lambda: read_ids(request.data), self._work)

    def _work(self, invoice_ids: list[str]) -> Answer:
        try:
            moved = self.move(invoice_ids=invoice_ids)
        except invoices.Refused as refused:
            raise _problems(refused, lambda one: f"invoices[{invoice_ids.index(one)}]") from None
        if moved.changed:
            subject = words.counted(len(moved.changed), "invoice")
            self.record(self.action, subject, invoices=moved.changed)
        return Answer(body=asdict(moved))


@described.move("approve", "Approve drafts")
class Approve(_Move):
    """From draft to approved."""

    action, move = "invoices.approved", staticmethod(invoices.approve)


@described.move(
    "commit", "Commit approved invoices: lock them and offer them for upload", CommittedAnswer
)
class Commit(_Move):
    """From approved to committed."""

    action, move = "invoices.committed", staticmethod(invoices.commit)

    def _work(self, invoice_ids: list[str]) -> Answer:
        answer = super()._work(invoice_ids)
        if batch := answer.body["batch"]:
            self.record("batch.made", f"Batch {batch}", began_by=Batch.Origin.COMMIT.label)
        return answer


@described.move("uncommit", "Un-commit invoices that are not in the accounts")
class Uncommit(_Move):
    """Back to approved; refused once an invoice is uploaded or on its way, with the ways out."""

    action, move = "invoices.uncommitted", staticmethod(invoices.uncommit)


class InvoicePdf(PracticeView):
    """The invoice as the client sees it."""

    parser_classes = [Pdf]

    @extend_schema(
        operation_id="put_invoice_pdf",
        summary="Keep the PDF of an invoice, to be attached to it in the package",
        description="At most 10 MB. A change to the invoice takes its PDF away.",
        tags=["The life of an invoice"],
        parameters=[described.KEY, described.INVOICE_ID],
        request=described.PDF_BODY,
        responses=described.answers(KeptPdfAnswer, 400, 404, 409, 413, 415, 503),
    )
    def put(self, request: Request, abtrac_id: str) -> Response:
        checked_id(abtrac_id)
        return self.once(
            lambda: self._scanned(abtrac_id, _pdf(request)),
            lambda content: self._keep(abtrac_id, content),
        )

    def _scanned(self, abtrac_id: str, content: bytes) -> bytes:
        """The PDF, looked through before any row is locked. Raises Problems."""
        try:
            pdfs.scan(content)
        except pdfs.PdfRefused as refused:
            why = printable(str(refused), most=300)
            with acting_for(self.practice.pk):
                if not Invoice.objects.filter(abtrac_id=abtrac_id).exists():
                    raise Http404 from None
                digest = hashlib.sha256(content).hexdigest()
                self.record("invoice.pdf_refused", abtrac_id, sha256=digest, reason=why)
            message = f"The virus scan refused this PDF: {why} It was not stored."
            raise Problems([Problem(path="", code="pdf_refused", message=message)]) from None
        except pdfs.NotScanned:
            message = "The PDF could not be scanned for viruses. It was not stored; send it again."
            raise Problems(
                [Problem(path="", code="not_scanned", message=message)], code=503
            ) from None
        return content

    def _keep(self, abtrac_id: str, content: bytes) -> Answer:
        try:
            kept = invoices.keep_pdf(invoice_id=abtrac_id, content=content)
        except invoices.Refused as refused:
            if any(one.code == "unknown_invoice" for one in refused.refusals):
                raise Http404 from None
            raise _problems(refused, lambda _: "") from None
        if kept.changed:
            self.record("invoice.pdf", abtrac_id, sha256=kept.pdf.sha256)
        return Answer(body={**told.tell_pdf(kept.pdf), "changed": kept.changed})


class Void(PracticeView):
    """Takes an invoice back out of the accounts."""

    @extend_schema(
        operation_id="void_invoice",
        summary="Void an invoice or credit note in the package it was sent to",
        description="It goes through the queue like an upload. Once the invoice's own upload is"
        " told as `voided`, the invoice can be un-committed. A number that was voided is mostly"
        " not taken a second time: give the corrected invoice another one.",
        tags=["The life of an invoice"],
        parameters=[described.KEY, described.INVOICE_ID],
        request=VoidReason,
        responses=described.answers(VoidAnswer, 400, 404, 409, 413, 415),
    )
    def post(self, request: Request, abtrac_id: str) -> Response:
        checked_id(abtrac_id)
        return self.once(
            lambda: read_reason(request.data), lambda reason: self._void(abtrac_id, reason)
        )

    def _void(self, abtrac_id: str, reason: str) -> Answer:
        try:
            batch = invoices.void(invoice_id=abtrac_id, reason=reason)
        except invoices.Refused as refused:
            if any(one.code == "unknown_invoice" for one in refused.refusals):
                raise Http404 from None
            raise _problems(refused, lambda _: "") from None
        self.record(
            "invoice.voiding",
            abtrac_id,
            before="sent",
            after="voiding",
            reason=reason,
            batch=batch.number,
        )
        return Answer(body={"invoice": abtrac_id, "batch": batch.number})


class OneInvoice(PracticeView):
    """What became of an invoice."""

    @extend_schema(
        operation_id="get_invoice",
        summary="An invoice as it is stored, its latest upload and what was paid",
        tags=["What became of it"],
        parameters=[described.INVOICE_ID],
        responses=described.answers(InvoiceAnswer, 404),
    )
    def get(self, request: Request, abtrac_id: str) -> Response:
        return self.told(lambda: _found(abtrac_id), InvoiceAnswer)


class Uploads(PracticeView):
    """What became of all of them."""

    @extend_schema(
        operation_id="list_uploads",
        summary="Uploads to which something has happened since a mark",
        description="Ask with `since` set to `next` until that is null; then keep `mark` for the"
        " next time. Payments count as something that happened.",
        tags=["What became of it"],
        parameters=[described.SINCE, described.LIMIT],
        responses=described.answers(UploadsAnswer, 400),
    )
    def get(self, request: Request) -> Response:
        since, limit = asked(request)
        return self.told(lambda: _page(since, limit), UploadsAnswer)


class Nothing(APIView):
    """Every other address below /api/."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404


def checked_id(abtrac_id: str) -> str:
    """The invoice ID of an address. Raises Http404 for what can be none."""
    if not re.fullmatch(INVOICE_ID, abtrac_id) or len(abtrac_id) > 40:
        raise Http404
    return abtrac_id


def asked(request: Request) -> tuple[int, int]:
    """The mark and the number asked for. Raises Problems."""
    given = request.query_params.dict()
    since, limit = given.pop("since", str(told.FIRST)), given.pop("limit", str(LIMIT))
    problems = [
        Problem(path=printable(name), code="unknown_field", message="There is no such parameter.")
        for name in given
    ]
    if not re.fullmatch("[0-9]{1,18}", since):
        message = "Give the “next” or “mark” of an earlier answer, or leave it out."
        problems.append(Problem(path="since", code="invalid", message=message))
    if not re.fullmatch("[0-9]{1,4}", limit) or not 1 <= int(limit) <= MOST:
        message = f"Give a whole number from 1 to {MOST}."
        problems.append(Problem(path="limit", code="invalid", message=message))
    upserts.refuse(problems)
    return int(since), int(limit)


def _found(abtrac_id: str) -> dict[str, Any]:
    invoice = told.invoice(checked_id(abtrac_id))
    if invoice is None:
        raise Http404
    return told.tell_invoice(invoice)


def _page(since: int, limit: int) -> dict[str, Any]:
    page = told.changed_since(since, limit=limit)
    return {
        "uploads": [told.tell_upload(one) for one in page.uploads],
        "next": None if page.next is None else str(page.next),
        "mark": str(page.mark),
    }


def _pdf(request: Request) -> bytes:
    content = request.data
    if not isinstance(content, bytes):
        raise ParseError("Send the PDF itself as the body.")
    if len(content) > invoices.PDF_MAX_BYTES:
        raise TooLarge("A PDF may have 10 MB at most. Make it smaller.")
    return content


def _problems(refused: invoices.Refused, path_of: Callable[[str], str]) -> Problems:
    """409 when the only trouble is how the invoices stand."""
    clash = all(one.clash for one in refused.refusals)
    return Problems(
        [
            Problem(
                path=path_of(one.invoice_id),
                code=one.code,
                message=one.message,
                choices=tuple(_choice(do, one.invoice_id) for do in one.choices),
            )
            for one in refused.refusals
        ],
        code=status.HTTP_409_CONFLICT if clash else status.HTTP_400_BAD_REQUEST,
    )


def _choice(do: str, invoice_id: str) -> Choice:
    """The way out by its call; a credit note is an invoice that Abtrac makes and sends."""
    if do == invoices.VOID:
        address = reverse("invoicing:api_void", kwargs={"abtrac_id": invoice_id})
        return Choice(do=do, method="POST", address=address)
    return Choice(do=do)
