"""What docs/delivery.md says of uploads is what the product does."""

import re
from pathlib import Path

from django.conf import settings

from invoicing import lateness
from invoicing.models import Notice
from invoicing.uploads import killpoints, states

GUIDE = (Path(__file__).parents[2] / "docs/delivery.md").read_text()
ARROW = re.compile(r"^ +(\S+) --> (\w+): \S", re.MULTILINE)
# What the click makes; every other move is in `states.MOVES`.
BEGINS = {("", "queued"), ("", "refused"), ("", "unknown")}


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below that heading, without its head."""
    part = GUIDE[GUIDE.index(f"## {heading}") :]
    lines = part[part.index("\n|") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def moves() -> list[tuple[str, str]]:
    """Every move the code allows."""
    return [(before, after) for before, there in states.MOVES.items() for after in there]


def named(cell: str) -> list[str]:
    """The marked words of a cell."""
    return re.findall(r"`([\w ]+)`", cell)


def test_the_diagram_has_the_moves_of_the_code_each_once_and_no_other() -> None:
    diagram = GUIDE[GUIDE.index("```mermaid") : GUIDE.index("```\n", GUIDE.index("```mermaid"))]
    drawn = [(before.replace("[*]", ""), after) for before, after in ARROW.findall(diagram)]
    assert len(drawn) == diagram.count("-->")
    assert sorted(drawn) == sorted([*BEGINS, *moves()])


def test_every_move_is_told_with_its_reason_and_its_mover() -> None:
    rows = table("The states and the moves between them")
    told = [("".join(named(before)), "".join(named(after))) for before, after, *_ in rows]
    assert sorted(told) == sorted([*BEGINS, *moves()])
    assert all(when and mover for _, _, when, mover in rows)


def test_every_place_a_worker_can_die_at_is_told_with_what_it_leaves() -> None:
    places = [value for name, value in vars(killpoints).items() if name.isupper()]
    rows = table("What a worker that is killed leaves")
    assert [place for place, *_ in rows] == places
    assert {state for _, left, _ in rows for state in named(left)} <= set(states.MOVES)


def test_every_notice_is_told_with_its_states_and_a_setting_there_is() -> None:
    rows = {
        named(kind)[0]: (label, named(of), named(which)) for kind, label, of, _, which in told()
    }
    assert list(rows) == Notice.Kind.values
    for kind in Notice.Kind:
        label, of, which = rows[kind]
        assert label == kind.label
        assert set(of) == {state for state, kinds in lateness.KINDS.items() if kind in kinds}
        assert len(which) == 1
        assert hasattr(settings, which[0])
    over = {state for state, kinds in lateness.KINDS.items() if not kinds}
    assert set(named(GUIDE[GUIDE.rindex("\n\n") :])) == over


def told() -> list[list[str]]:
    """The table of notices."""
    return table("Notices")


def test_every_setting_the_guide_names_is_one() -> None:
    given = re.findall(r"`([A-Z_]{5,})`", GUIDE)
    assert len(given) > 12
    assert all(hasattr(settings, name) for name in given if name != "ERROR")
