"""The rehearsal's records as Xero shows them, and the fields its filters may look at."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from connectors.xero.standin_answers import (
    Shape,
    date_string,
    ms_date,
    ms_time,
    rounded,
    time_string,
)
from connectors.xero.standin_charts import CURRENCY_NAMES
from connectors.xero.standin_ledger import (
    Account,
    Allocation,
    Attachment,
    Contact,
    Document,
    Line,
    Note,
    Organisation,
    Payment,
    TaxRate,
    TrackingCategory,
    TrackingOption,
)
from connectors.xero.standin_query import Facts

CENTS = Decimal("0.01")
FOUR_DECIMALS = Decimal("0.0001")
ADDRESS_PARTS = ("City", "Region", "PostalCode", "Country")
PHONE_PARTS = ("PhoneNumber", "PhoneAreaCode", "PhoneCountryCode")


def organisation(books: Organisation) -> Shape:
    """The organisation; lock dates appear only when they are set."""
    year_end_day, year_end_month = books.country.year_end
    shown = {
        "OrganisationID": books.tenant_id,
        "Name": books.name,
        "LegalName": books.name,
        "PaysTax": True,
        "Version": books.country.code,
        "OrganisationType": "COMPANY",
        "BaseCurrency": books.currency,
        "CountryCode": books.country.code,
        "IsDemoCompany": books.is_demo,
        "OrganisationStatus": books.status,
        "TaxNumber": books.country.tax_number,
        "FinancialYearEndDay": year_end_day,
        "FinancialYearEndMonth": year_end_month,
        "SalesTaxBasis": "INVOICE" if books.country.code == "NZ" else "ACCRUALS",
        "SalesTaxPeriod": "TWOMONTHS" if books.country.code == "NZ" else "QUARTERLY1",
        "DefaultSalesTax": "Tax Exclusive",
        "DefaultPurchasesTax": "Tax Exclusive",
        "CreatedDateUTC": ms_time(books.opened_at),
        "OrganisationEntityType": "COMPANY",
        "Timezone": books.country.timezone,
        "ShortCode": f"!{books.tenant_id[:5]}",
        "Edition": books.edition,
        "Class": _plan(books),
        "Addresses": [],
        "Phones": [],
        "ExternalLinks": [],
        "PaymentTerms": {},
    }
    if books.period_lock_date:
        shown["PeriodLockDate"] = ms_date(books.period_lock_date)
    if books.year_lock_date:
        shown["EndOfYearLockDate"] = ms_date(books.year_lock_date)
    return shown


def _plan(books: Organisation) -> str:
    # Which of Xero's plans have a bound is not in its description: this one has by its name.
    if books.plan_limit is not None:
        return "STARTER"
    return "DEMO" if books.is_demo else "STANDARD"


def account(one: Account) -> Shape:
    """An account."""
    shown = {
        "AccountID": one.id,
        "Name": one.name,
        "Status": one.status,
        "Type": one.type,
        "TaxType": one.tax_type,
        "Class": one.account_class,
        "EnablePaymentsToAccount": False,
        "ShowInExpenseClaims": False,
        "SystemAccount": one.system,
        "ReportingCode": "",
        "HasAttachments": False,
        "UpdatedDateUTC": ms_time(one.updated_at),
        "AddToWatchlist": False,
    }
    if one.code:
        shown["Code"] = one.code
    if not one.system:
        del shown["SystemAccount"]
    if one.type == "BANK":
        shown |= {"BankAccountType": "BANK", "BankAccountNumber": "020908765432100"}
    return shown


def tax_rate(one: TaxRate) -> Shape:
    """A tax rate; only the organisation's own carry a status worth choosing by."""
    return {
        "Name": one.name,
        "TaxType": one.code,
        "ReportTaxType": one.report,
        "CanApplyToAssets": "A" in one.classes,
        "CanApplyToEquity": "Q" in one.classes,
        "CanApplyToExpenses": "E" in one.classes,
        "CanApplyToLiabilities": "L" in one.classes,
        "CanApplyToRevenue": "R" in one.classes,
        "DisplayTaxRate": one.rate.quantize(FOUR_DECIMALS),
        "EffectiveRate": one.rate.quantize(FOUR_DECIMALS),
        "Status": one.status,
        "TaxComponents": [
            {
                "Name": "GST",
                "Rate": one.rate.quantize(FOUR_DECIMALS),
                "IsCompound": False,
                "IsNonRecoverable": False,
            }
        ],
    }


def currency(code: str) -> Shape:
    """A currency the organisation is subscribed to."""
    return {"Code": code, "Description": CURRENCY_NAMES.get(code, code)}


def branding_themes(books: Organisation) -> list[Shape]:
    """The branding themes, in order."""
    return [
        {
            "BrandingThemeID": theme,
            "Name": name,
            "SortOrder": place,
            "CreatedDateUTC": ms_time(books.opened_at),
        }
        for place, (theme, name) in enumerate(books.branding_themes)
    ]


def tracking_category(one: TrackingCategory) -> Shape:
    """A tracking category with its options."""
    return {
        "TrackingCategoryID": one.id,
        "Name": one.name,
        "Status": one.status,
        "Options": [tracking_option(option) for option in one.options],
    }


def tracking_option(one: TrackingOption) -> Shape:
    """An option of a tracking category."""
    return {
        "TrackingOptionID": one.id,
        "Name": one.name,
        "Status": one.status,
        "HasValidationErrors": False,
        "IsDeleted": False,
        "IsArchived": one.status == "ARCHIVED",
        "IsActive": one.status == "ACTIVE",
    }


def contact(one: Contact, *, full: bool = True) -> Shape:
    """A contact; both addresses and all phones are there, filled in or not."""
    shown: Shape = {
        "ContactID": one.id,
        "ContactStatus": one.status,
        "Name": one.name,
        "HasAttachments": False,
        "HasValidationErrors": False,
        "ContactGroups": [],
        "ContactPersons": [],
        "Addresses": [],
        "Phones": [],
    }
    if one.number:
        shown["ContactNumber"] = one.number
    if not full:
        return shown
    addresses = {each["AddressType"]: each for each in one.details.get("Addresses", [])}
    phones = {each["PhoneType"]: each for each in one.details.get("Phones", [])}
    shown |= {key: value for key, value in one.details.items() if key not in shown}
    shown |= {
        "ContactPersons": one.details.get("ContactPersons", []),
        "Addresses": [
            {"AddressType": kind} | dict.fromkeys(ADDRESS_PARTS, "") | addresses.get(kind, {})
            for kind in ("STREET", "POBOX")
        ],
        "Phones": [
            {"PhoneType": kind} | dict.fromkeys(PHONE_PARTS, "") | phones.get(kind, {})
            for kind in ("DDI", "DEFAULT", "FAX", "MOBILE")
        ],
        "BankAccountDetails": "",
        "IsSupplier": False,
        "IsCustomer": one.is_customer,
        "SalesTrackingCategories": [],
        "PurchasesTrackingCategories": [],
        "UpdatedDateUTC": ms_time(one.updated_at),
    }
    if one.merged_to:
        shown["MergedToContactID"] = one.merged_to
    return shown


def document(
    one: Document, *, decimals: int = 2, lines: bool = True, summary: bool = False
) -> Shape:
    """An invoice or credit note. A summary has no lines and no payments."""
    note = one.is_credit_note
    shown: Shape = {
        "Type": one.type,
        "CreditNoteID" if note else "InvoiceID": one.id,
        "CreditNoteNumber" if note else "InvoiceNumber": one.number,
        "Reference": one.reference,
        "Contact": contact(one.contact, full=lines),
        "DateString": date_string(one.issued),
        "Date": ms_date(one.issued),
        "Status": one.status,
        "LineAmountTypes": one.basis,
        "LineItems": [line(each, decimals) for each in one.lines] if lines else [],
        "SubTotal": one.sub_total,
        "TotalTax": one.total_tax,
        "Total": one.total,
        "UpdatedDateUTC": ms_time(one.updated_at),
        "UpdatedDateUTCString": time_string(one.updated_at),
        "CurrencyCode": one.currency,
        "CurrencyRate": one.rate,
        "SentToContact": one.sent,
        "HasAttachments": bool(one.attachments),
        "HasErrors": False,
    }
    if one.branding_theme:
        shown["BrandingThemeID"] = one.branding_theme
    if one.due:
        shown |= {"DueDateString": date_string(one.due), "DueDate": ms_date(one.due)}
    shown |= _note_parts(one) if note else _invoice_parts(one)
    if summary:
        for part in ("LineItems", "Payments", "Allocations", "CreditNotes"):
            shown.pop(part, None)
    return shown


def _invoice_parts(one: Document) -> Shape:
    shown: Shape = {
        "Payments": [_payment_in_document(each) for each in one.payments if _is_live(each)],
        "CreditNotes": [
            {
                "CreditNoteID": each.credit_note.id,
                "CreditNoteNumber": each.credit_note.number,
                "ID": each.credit_note.id,
                "AppliedAmount": each.amount,
                "Date": ms_date(each.made_on),
                "Total": each.credit_note.total,
                "LineItems": [],
            }
            for each in one.allocations
        ],
        "Prepayments": [],
        "Overpayments": [],
        "AmountDue": one.open_amount if one.status not in ("VOIDED", "DELETED") else Decimal("0"),
        "AmountPaid": one.paid,
        "AmountCredited": one.credited,
        "IsDiscounted": any(each.discount is not None for each in one.lines),
    }
    if one.url:
        shown["Url"] = one.url
    if one.attachments:
        shown["Attachments"] = [attachment(each, one) for each in one.attachments]
    if one.status == "PAID":
        days = [each.paid_on for each in one.payments if _is_live(each)]
        days += [each.made_on for each in one.allocations]
        shown["FullyPaidOnDate"] = ms_date(max(days, default=one.issued))
    return shown


def _note_parts(one: Document) -> Shape:
    return {
        "ID": one.id,
        "RemainingCredit": one.open_amount if one.status not in ("VOIDED", "DELETED") else 0,
        "Allocations": [
            {
                "AllocationID": each.id,
                "Amount": each.amount,
                "Date": ms_date(each.made_on),
                "Invoice": {"InvoiceID": each.invoice.id, "InvoiceNumber": each.invoice.number},
            }
            for each in one.allocations
        ],
        "Payments": [],
    }


def line(one: Line, decimals: int = 2) -> Shape:
    """A line; unit amounts have two decimals unless four are asked for."""
    shown: Shape = {
        "LineItemID": one.id,
        "Description": one.description,
        "Tracking": [
            {
                "TrackingCategoryID": category.id,
                "TrackingOptionID": option.id,
                "Name": category.name,
                "Option": option.name,
            }
            for category, option in one.tracking
        ],
        "ValidationErrors": [],
    }
    if one.quantity is not None and one.unit_amount is not None:
        shown |= {
            "Quantity": one.quantity,
            "UnitAmount": rounded(one.unit_amount, FOUR_DECIMALS if decimals == 4 else CENTS),
            "LineAmount": one.amount,
            "TaxAmount": one.tax,
            "TaxType": one.tax_type,
        }
    if one.account is not None:
        shown |= {"AccountCode": one.account.code, "AccountID": one.account.id}
    if one.discount_rate is not None:
        shown["DiscountRate"] = one.discount_rate
    if one.discount is not None:
        shown["DiscountAmount"] = one.discount
    return shown


def attachment(one: Attachment, on: Document) -> Shape:
    """An attachment, without its content."""
    folder = "CreditNotes" if on.is_credit_note else "Invoices"
    return {
        "AttachmentID": one.id,
        "FileName": one.name,
        "Url": f"https://api.xero.com/api.xro/2.0/{folder}/{on.id}/Attachments/{one.name}",
        "MimeType": one.mime_type,
        "ContentLength": len(one.content),
        "IncludeOnline": one.online,
    }


def payment(one: Payment) -> Shape:
    """A payment, deleted ones too."""
    on = one.document
    return {
        "PaymentID": one.id,
        "Date": ms_date(one.paid_on),
        "Amount": one.amount,
        "BankAmount": one.amount,
        "Reference": one.reference,
        "CurrencyRate": on.rate,
        "PaymentType": "ACCRECPAYMENT",
        "Status": one.status,
        "UpdatedDateUTC": ms_time(one.updated_at),
        "UpdatedDateUTCString": time_string(one.updated_at),
        "HasAccount": True,
        "IsReconciled": False,
        "Account": {"AccountID": one.account.id, "Code": one.account.code},
        "Invoice": {
            "Type": on.type,
            "InvoiceID": on.id,
            "InvoiceNumber": on.number,
            "Payments": [],
            "CreditNotes": [],
            "Prepayments": [],
            "Overpayments": [],
            "HasErrors": False,
            "IsDiscounted": False,
            "Contact": contact(on.contact, full=False),
            "LineItems": [],
            "CurrencyCode": on.currency,
        },
        "HasValidationErrors": False,
    }


def allocation(one: Allocation) -> Shape:
    """An allocation, as the call that makes it answers."""
    return {
        "AllocationID": one.id,
        "Amount": one.amount,
        "Date": ms_date(one.made_on),
        "Invoice": {"InvoiceID": one.invoice.id, "LineItems": [], "ValidationErrors": []},
        "CreditNote": {
            "CreditNoteID": one.credit_note.id,
            "ID": one.credit_note.id,
            "LineItems": [],
        },
        "ValidationErrors": [],
    }


def note(one: Note) -> Shape:
    """A line of history."""
    return {
        "Changes": one.changes,
        "DateUTCString": time_string(one.at),
        "DateUTC": ms_time(one.at),
        "User": one.user,
        "Details": one.details,
    }


def account_facts(one: Account) -> Facts:
    """What a filter may ask of an account."""
    return {
        "AccountID": UUID(one.id),
        "Code": one.code,
        "Name": one.name,
        "Type": one.type,
        "Class": one.account_class,
        "Status": one.status,
        "TaxType": one.tax_type,
        "SystemAccount": one.system,
    }


def tax_rate_facts(one: TaxRate) -> Facts:
    """What a filter may ask of a tax rate."""
    return {"Name": one.name, "TaxType": one.code, "Status": one.status}


def contact_facts(one: Contact) -> Facts:
    """What a filter may ask of a contact."""
    return {
        "ContactID": UUID(one.id),
        "Name": one.name,
        "ContactNumber": one.number or None,
        "ContactStatus": one.status,
        "EmailAddress": _text(one.details.get("EmailAddress")),
        "AccountNumber": _text(one.details.get("AccountNumber")),
        "TaxNumber": _text(one.details.get("TaxNumber")),
        "IsCustomer": one.is_customer,
    }


def document_facts(one: Document) -> Facts:
    """What a filter may ask of an invoice or a credit note."""
    word = "CreditNote" if one.is_credit_note else "Invoice"
    return {
        "Type": one.type,
        f"{word}ID": UUID(one.id),
        f"{word}Number": one.number,
        "Reference": one.reference,
        "Status": one.status,
        "Date": one.issued,
        "DueDate": one.due,
        "CurrencyCode": one.currency,
        "SubTotal": one.sub_total,
        "TotalTax": one.total_tax,
        "Total": one.total,
        "AmountDue": one.open_amount,
        "AmountPaid": one.paid,
        "AmountCredited": one.credited,
        "Contact.ContactID": UUID(one.contact.id),
        "Contact.ContactNumber": one.contact.number or None,
        "Contact.Name": one.contact.name,
    }


def payment_facts(one: Payment) -> Facts:
    """What a filter may ask of a payment."""
    return {
        "PaymentID": UUID(one.id),
        "PaymentType": "ACCRECPAYMENT",
        "Status": one.status,
        "Date": one.paid_on,
        "Amount": one.amount,
        "Reference": one.reference,
        "Invoice.InvoiceID": UUID(one.document.id),
        "Invoice.InvoiceNumber": one.document.number,
    }


def _payment_in_document(one: Payment) -> Shape:
    return {
        "PaymentID": one.id,
        "Date": ms_date(one.paid_on),
        "Amount": one.amount,
        "Reference": one.reference,
        "CurrencyRate": one.document.rate,
        "HasAccount": False,
        "HasValidationErrors": False,
    }


def _is_live(one: Payment) -> bool:
    return one.status == "AUTHORISED"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
