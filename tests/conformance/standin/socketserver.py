"""Stands in the standard library's place: whoever imports socketserver gets windsock.servers."""

import sys

import windsock.servers

sys.modules[__name__] = windsock.servers
