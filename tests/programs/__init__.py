"""Tests with real programs on both ends, and a proxy between them."""
