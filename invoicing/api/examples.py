"""One believable body for each call that stores rows; sent in this order they are all taken."""

from typing import Any

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "invoice_settings": [
        {"abtrac_id": "S1", "name": "Auckland", "prefix": "AK-", "next_number": 2100}
    ],
    "offices": [{"abtrac_id": "O1", "name": "Auckland", "invoice_setting": "S1"}],
    "clients": [
        {
            "abtrac_id": "C1",
            "name": "Kauri Homes Ltd",
            "abbreviation": "KAURI",
            "email": "accounts@kauri.example",
            "postal_address": {
                "lines": ["3 Kauri Street"],
                "city": "Auckland",
                "postal_code": "1010",
                "country": "New Zealand",
            },
        }
    ],
    "jobs": [{"abtrac_id": "J1", "code": "26001", "client": "C1", "description": "New house"}],
    "invoices": [
        {
            "abtrac_id": "70001",
            "number": "AK-2100",
            "office": "O1",
            "client": "C1",
            "job": "J1",
            "name_on_invoice": "Kauri Homes Ltd",
            "issued": "2026-11-20",
            "due": "2026-12-20",
            "tax_basis": "exclusive",
            "currency": "NZD",
            "order_number": "PO 4471",
            "net": "1350.00",
            "tax": "202.50",
            "total": "1552.50",
            "lines": [
                {
                    "position": 1,
                    "description": "Concept design",
                    "kind": "time",
                    "quantity": "7.5",
                    "unit_price": "180.00",
                    "net": "1350.00",
                    "tax": "202.50",
                    "task": "Concept",
                }
            ],
        }
    ],
}
