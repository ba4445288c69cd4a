"""Addresses of the API, its description and the page that shows it."""

from django.urls import URLPattern, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from invoicing.api import views

V1 = "api/v1"

urlpatterns_api: list[URLPattern] = [
    path("api/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path(
        "api/docs/",
        SpectacularSwaggerSplitView.as_view(
            url_name="invoicing:api_schema", template_name="invoicing/api_docs.html"
        ),
        name="api_docs",
    ),
    path(f"{V1}/invoice-settings", views.InvoiceSettings.as_view(), name="api_invoice_settings"),
    path(f"{V1}/offices", views.Offices.as_view(), name="api_offices"),
    path(f"{V1}/clients", views.Clients.as_view(), name="api_clients"),
    path(f"{V1}/jobs", views.Jobs.as_view(), name="api_jobs"),
    path(f"{V1}/invoices", views.Invoices.as_view(), name="api_invoices"),
    path(f"{V1}/invoices/approve", views.Approve.as_view(), name="api_approve"),
    path(f"{V1}/invoices/commit", views.Commit.as_view(), name="api_commit"),
    path(f"{V1}/invoices/uncommit", views.Uncommit.as_view(), name="api_uncommit"),
    path(f"{V1}/invoices/<str:abtrac_id>", views.OneInvoice.as_view(), name="api_invoice"),
    path(f"{V1}/invoices/<str:abtrac_id>/pdf", views.InvoicePdf.as_view(), name="api_pdf"),
    path(f"{V1}/invoices/<str:abtrac_id>/void", views.Void.as_view(), name="api_void"),
    path(f"{V1}/uploads", views.Uploads.as_view(), name="api_uploads"),
    # Last: an address that is none is answered in the API's own words.
    re_path(r"^api/", views.Nothing.as_view(), name="api_nothing"),
]
