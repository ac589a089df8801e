"""`python -m windsock`: see windsock.commands."""

from windsock.commands.main import main

if __name__ == "__main__":
    raise SystemExit(main())
