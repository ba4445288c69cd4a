"""References made from a template."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces import references
from interfaces.references import BadTemplate

VALUES = dict.fromkeys(references.FIELDS, "") | {
    "job": "26001 New house",
    "order number": "PO 4471",
    "claim number": "3",
    "invoice number": "ABT-1",
}
texts = st.text(st.characters(codec="utf-8", exclude_characters="{}"), max_size=12)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (references.DEFAULT, "26001 New house, Order PO 4471, Claim 3"),
        ("{job},{client}", "26001 New house"),
        ("{client}, {job}", "26001 New house"),
        ("{client}, {recipient}", ""),
        ("Ours: {invoice number} / {client ID}", "Ours: ABT-1"),
        ("{invoice number} - {client} - {claim number}", "ABT-1 - 3"),
        ("{Invoice_Number} of {client} for {job}", "ABT-1 of for 26001 New house"),
        ("Thank you, {client}", "Thank you"),
        (" / {job} / {client} / {order number} / ", "26001 New house / PO 4471"),
        ("{job}/{claim number}", "26001 New house/3"),
        ("{{job}", None),
        ("{job", None),
        ("job}", None),
        ("", ""),
        (" , ;", ""),
    ],
)
def test_a_part_whose_fields_are_empty_leaves_nothing_behind(template: str, text: Any) -> None:
    if text is None:
        with pytest.raises(BadTemplate, match="a brace is missing its other"):
            references.parse(template)
    else:
        assert references.parse(template).fill(VALUES) == text


def test_fields_that_are_none_are_named_with_those_there_are() -> None:
    with pytest.raises(BadTemplate) as refused:
        references.parse("{job}, {project}")
    told = str(refused.value)
    assert told.startswith("{project} is no field. The fields are: {invoice number}, ")
    with pytest.raises(BadTemplate, match=r"\{a\}, \{\} are no fields"):
        references.parse("{a}, {}")


@given(job=texts, order=texts, claim=texts)
def test_the_default_is_the_job_the_order_and_the_claim(job: str, order: str, claim: str) -> None:
    values = {"job": job, "order number": order, "claim number": claim}
    parts = (job, f"Order {order}" if order else "", f"Claim {claim}" if claim else "")
    expected = ", ".join(one for one in parts if one)
    assert references.parse(references.DEFAULT).fill(values) == expected


@given(
    template=st.lists(
        st.sampled_from(
            [", ", "; ", " / ", "Order ", *(f"{{{one}}}" for one in references.FIELDS)]
        ),
        max_size=8,
    ),
    values=st.fixed_dictionaries(
        {one: st.sampled_from(["", "A", "B C"]) for one in references.FIELDS}
    ),
)
def test_nothing_dangles_at_either_end(template: list[str], values: dict[str, str]) -> None:
    text = references.parse("".join(template)).fill(values)
    assert text == text.strip(" ,;/")
