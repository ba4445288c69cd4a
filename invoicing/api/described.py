"""How the calls are described in the OpenAPI document."""

from collections.abc import Callable
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework import serializers

from invoicing.api.answers import MovedAnswer, ProblemsAnswer, TallyAnswer
from invoicing.api.examples import EXAMPLES
from invoicing.api.reading import InvoiceIds
from invoicing.api.rows import Row

KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Your own name for this call, 1 to 128 characters. Repeated within 24 hours with"
    " the same body, the call has no second effect and the first answer is given again.",
    pattern="^[!-~]{1,128}$",
)
INVOICE_ID = OpenApiParameter(
    "abtrac_id", str, OpenApiParameter.PATH, description="Abtrac's invoice ID."
)
SINCE = OpenApiParameter(
    "since",
    str,
    description="`next` or `mark` of an earlier answer; left out, everything from the beginning.",
    pattern="^[0-9]{1,18}$",
)
USUAL_PAGE, LONGEST_PAGE = 200, 500
LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": USUAL_PAGE},
    description="How many at most.",
)
ERRORS = {
    400: "Something in the call is wrong: every problem, with its path. Nothing was stored.",
    401: "No key, or one that opens nothing.",
    404: "There is no such invoice in this practice.",
    409: "The call is well-formed but clashes with what is there, or its Idempotency-Key with an"
    " earlier call. Nothing was stored.",
    413: "More than one call may carry.",
    415: "Another content type than this call takes.",
    503: "The virus scan could not be done. Nothing was stored; send it again.",
}


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The practice's key."""

    target_class = "invoicing.api.access.PracticeKeyAuthentication"
    name = "PracticeKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key` and a space, then the key an admin of the practice made.",
        }


class ExactRow(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A row takes no other fields than its own."""

    target_class = Row
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(
            self.target, direction, bypass_extensions=True
        )
        for name, field in self.target.fields.items():
            schema["properties"][name].update(_bounds(field))
        return {**schema, "additionalProperties": False}


def _bounds(field: Any) -> dict[str, Any]:
    """What the generator leaves out of lists of rows, and of texts that may not be empty."""
    if isinstance(field, serializers.ListSerializer):
        field = cast(Any, field)
        return {"minItems": field.min_length, "maxItems": field.max_length}
    if isinstance(field, serializers.CharField) and not field.allow_blank:
        return {"minLength": 1}
    return {}


def answers(success: Any, *codes: int) -> dict[Any, Any]:
    """What a call may be answered with; 401 always."""
    errors = {
        code: OpenApiResponse(ProblemsAnswer, description=ERRORS[code])
        for code in sorted({401, *codes})
    }
    return {200: success, **errors}


def rows(name: str, rows: type[Row], summary: str) -> Callable[[type[Any]], type[Any]]:
    """A call that stores rows; POST does what PUT does."""
    described = {
        method: extend_schema(
            operation_id=f"{method}_{name}",
            summary=summary,
            description="Each row is stored whole under its `abtrac_id`: what it leaves out is"
            " empty. All rows are stored or none; a repetition changes nothing.",
            tags=["What Abtrac sends"],
            parameters=[KEY],
            request=rows,
            examples=[OpenApiExample("Rows", value={"rows": EXAMPLES[name]}, request_only=True)],
            responses=answers(TallyAnswer, 400, 409, 413, 415),
        )
        for method in ("put", "post")
    }
    return extend_schema_view(**described)


def move(
    name: str, summary: str, answer: type[MovedAnswer] = MovedAnswer
) -> Callable[[type[Any]], type[Any]]:
    """A call that moves invoices through their life."""
    return extend_schema_view(
        post=extend_schema(
            operation_id=f"{name}_invoices",
            summary=summary,
            description="All of them or none. Those that are there already stay as they are.",
            tags=["The life of an invoice"],
            parameters=[KEY],
            request=InvoiceIds,
            responses=answers(answer, 400, 409, 413, 415),
        )
    )


PDF_BODY = {"application/pdf": OpenApiTypes.BINARY}
