"""A child process for each request."""
