"""Servers whose requests are trio tasks."""
