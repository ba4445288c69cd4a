"""What a web process does once, before it answers its first request."""

import gc

from django.urls import get_resolver


def load_for_good() -> None:
    """Load the pages, and keep what is loaded out of Python's search for rubbish.

    An upload of a thousand invoices makes so many things that Python looks through all there are;
    what stays for good would take a third of the answer's time, and none of it is ever rubbish.
    """
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()
