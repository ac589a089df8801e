"""Scripted clients, blocking and trio, and crowds of them."""
