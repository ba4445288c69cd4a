"""The guide and the examples can be followed to the letter."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from invoicing.api.examples import EXAMPLES
from offices.models import Practice
from tests.invoicing.abtrac import Abtrac, problems

pytestmark = pytest.mark.django_db

GUIDE = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text(encoding="utf-8")
COMMANDS = [
    block
    for block in re.findall(r"^```sh\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)
    if block.startswith("curl ")
]


def follow(abtrac: Abtrac, command: str) -> Any:
    """Call the API as curl would."""
    words = shlex.split(command)
    method, path, headers, body = "GET", "", {}, None
    for word, after in zip(words[1:], [*words[2:], ""], strict=True):
        if word == "-X":
            method = after
        elif word == "-H":
            name, value = after.split(": ", 1)
            headers[name] = value.replace("$KEY", abtrac.secret)
        elif word == "-d":
            body = after.encode()
        elif word == "--data-binary":
            assert after == "@invoice.pdf"
            body = b"%PDF-1.4 an invoice"
        elif word.startswith("$LINK/"):
            path = word.removeprefix("$LINK/")
    content_type = headers.pop("Content-Type", "")
    return abtrac.call(method, path, body, content_type=content_type, **headers)


def test_every_command_of_the_guide_works_one_after_the_other(practice: Practice) -> None:
    abtrac = Abtrac(practice)
    assert len(COMMANDS) == 12
    for command in COMMANDS:
        answer = follow(abtrac, command)
        assert answer.status_code == 200, (command, answer.content)
    assert abtrac.get("invoices/70001").json()["total"] == "1601.24"
    assert abtrac.get("invoices/70002").json()["status"] == "committed"


def test_the_refusal_shown_in_the_guide_is_one_that_is_given(practice: Practice) -> None:
    abtrac = Abtrac(practice)
    for command in COMMANDS[:3]:
        follow(abtrac, command)
    command = COMMANDS[4].replace('"net": "1350.00"', '"net": "1305.00"')
    answer = follow(abtrac, command.replace('"client": "C1"', '"client": "C9"'))
    assert answer.status_code == 400
    assert {"rows[0].lines[0].net", "rows[0].client"} <= problems(answer).keys()
    told = {one["message"] for one in answer.json()["problems"]}
    shown = set(re.findall(r'^   "message": "(.*)"}', GUIDE, flags=re.MULTILINE))
    assert len(shown) == 2
    assert shown <= told


def test_the_examples_of_the_description_are_taken(practice: Practice) -> None:
    abtrac = Abtrac(practice)
    for name, rows in EXAMPLES.items():
        answer = abtrac.put(name.replace("_", "-"), *rows)
        assert answer.status_code == 200, answer.content
        assert answer.json()["created"] == len(rows)
