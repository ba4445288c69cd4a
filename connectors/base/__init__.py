"""What every connector shares: documents, promises, errors, HTTP and the stand-in server."""
