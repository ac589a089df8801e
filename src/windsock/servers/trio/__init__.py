"""A trio task for each request."""
