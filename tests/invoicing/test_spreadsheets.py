"""Files that people open in a spreadsheet."""

import csv
import io
from datetime import date
from decimal import Decimal

from invoicing import spreadsheets


def test_a_file_for_people_holds_no_formula_and_numbers_stay_numbers() -> None:
    texts = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "Smith, J", "2 - 1"]
    cells: list[spreadsheets.Cell] = [*texts, Decimal("-5.00"), -7, date(2026, 11, 3), None]
    head, row = csv.reader(io.StringIO("".join(spreadsheets.lines(["A"], [cells])), newline=""))
    assert head == ["\ufeffA"]
    assert row[:6] == [f"'{one}" for one in texts[:6]]
    assert row[6:] == ["Smith, J", "2 - 1", "-5.00", "-7", "2026-11-03", ""]
