"""Two invented packages, so that the upload engine is proven beyond those that exist."""
