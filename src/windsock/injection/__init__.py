"""Faults around a server class: accept, handshake, process, relays."""
