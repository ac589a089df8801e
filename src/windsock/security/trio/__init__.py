"""TLS and challenges for the streams of trio."""
