"""What Abtrac calls: the REST API under /api/v1/.

The settings name what is imported here, so this must stay free of any view.
"""

from invoicing.api.access import HasPracticeKey
from invoicing.api.problems import explain

__all__ = ["HasPracticeKey", "explain"]
