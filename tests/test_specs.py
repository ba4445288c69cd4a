"""Published specifications are judges that are at hand, or are missed aloud."""

import json
from pathlib import Path

import pytest

from tests import specs

HEADERS = {"xero-tenant-id": "t", "Content-Type": "application/json"}
URL = "http://127.0.0.1:4700/api.xro/2.0/CreditNotes/{note}/Allocations"
NOTE = "430fa14a-f945-44d3-9f97-5df5e28441b8"


@pytest.mark.parametrize(("ci", "outcome"), [("", "Skipped"), ("true", "Failed")])
def test_a_missing_specification_is_skipped_and_on_ci_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ci: str, outcome: str
) -> None:
    monkeypatch.setattr(specs, "SPECS", tmp_path)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(BaseException, match="is not there") as caught:
        specs.spec_path("xero/nothing.yaml")
    assert type(caught.value).__name__ == outcome


def test_a_request_is_judged_whatever_server_it_went_to() -> None:
    good = {"Amount": 10.5, "Date": "2026-11-21", "Invoice": {"InvoiceID": NOTE}}
    url = URL.format(note=NOTE)
    specs.validate_xero_request("PUT", url, HEADERS, json.dumps({"Allocations": [good]}).encode())
    bad = {"Allocations": [good | {"Date": "21/11/2026"}]}
    with pytest.raises(AssertionError, match="Allocations/0/Date"):
        specs.validate_xero_request("PUT", url, HEADERS, json.dumps(bad).encode())


def test_a_unit_amount_has_at_most_four_decimals() -> None:
    url = "https://api.xero.com/api.xro/2.0/Invoices?unitdp=4"
    line = {"Description": "Design", "Quantity": 1, "UnitAmount": 1.2345}
    invoice = {
        "Type": "ACCREC",
        "Contact": {"ContactID": NOTE},
        "InvoiceNumber": "ABT-1001",
        "Date": "2026-11-20",
        "DueDate": "2026-12-20",
        "LineAmountTypes": "Exclusive",
        "Status": "DRAFT",
        "LineItems": [line],
    }
    specs.validate_xero_request("PUT", url, HEADERS, json.dumps({"Invoices": [invoice]}).encode())
    line["UnitAmount"] = 1.23456
    with pytest.raises(AssertionError, match="more than four decimals"):
        specs.validate_xero_request(
            "PUT", url, HEADERS, json.dumps({"Invoices": [invoice]}).encode()
        )
