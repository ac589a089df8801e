"""What every test of ours has: pytester, to run pytest inside a test."""

pytest_plugins = ["pytester"]
