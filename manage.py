#!/usr/bin/env python3
"""Runs Abtrac Link's commands: `python manage.py help` lists them."""

import os
import sys


def main() -> None:
    """Hand the command line to Django. A setting or a database to mend is told in one line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "abtrac_link.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"Settings: {error}")
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database cannot be used: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
