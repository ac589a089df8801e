"""The user that a program runs as, where the tests run as root: some programs refuse to run so."""

from __future__ import annotations

from dataclasses import dataclass

from windsock.errors import UsageError
from windsock.net.system import os

__all__ = ["Account", "account_of"]


@dataclass(frozen=True, slots=True)
class Account:
    """A user's numbers."""

    user: int
    group: int

    @property
    def prefix(self) -> list[str]:
        """The words before a command that have it run as this user (setpriv(1), which the command replaces)."""
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.group}", "--init-groups", "--"]

    def own(self, directory: str) -> None:
        """Give a directory, and all that is in it, to this user."""
        os.chown(directory, self.user, self.group)
        with os.scandir(directory) as entries:
            for each in entries:
                if each.is_dir(follow_symlinks=False):
                    self.own(each.path)
                else:
                    os.chown(each.path, self.user, self.group)


def account_of(name: str) -> Account:
    """Return the account of a user. Raises UsageError if there is none, or this process may not run programs as it."""
    import pwd  # not everywhere

    if os.getuid() != 0:
        raise UsageError(f"real_server(user={name!r}): only root can run a program as another user; leave user= out")
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise UsageError(f"real_server(user={name!r}): expected the name of a user of this system") from None
    return Account(found.pw_uid, found.pw_gid)
