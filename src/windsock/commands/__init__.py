"""The command line, `python -m windsock`: fakes and proxies for other languages, and to look at by hand."""
