"""Recipes of programs that are tested against often: `real_server(recipes.redis())`.

Each listens on the loopback interface, asks for no password, and keeps all that it writes in the directory of the test.
Where tests run as root, programs that would become another user stay root, since the directory is root's.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from windsock.errors import UsageError
from windsock.net.system import os
from windsock.programs.keywords import Recipe

__all__ = [
    "Recipe",
    "aiosmtpd",
    "asgi",
    "dnsmasq",
    "memcached",
    "mosquitto",
    "nginx",
    "postgresql",
    "redis",
    "sshd",
    "wsgi",
]

SHELL = "/bin/sh"
POSTGRESQL = """
[ -e {tmp}/data/PG_VERSION ] ||
    {program:initdb} -D {tmp}/data -U postgres -A trust -E UTF8 --no-locale --no-sync --wal-segsize=1 || exit
exec {program:postgres} -D {tmp}/data -h {host} -p {port} -k {tmp} -F "$@"
"""
SSHD = """
[ "$(id -u)" != 0 ] || mkdir -p -m 755 /run/sshd
for each in host_key client_key; do
    [ -e "{tmp}/$each" ] || {program:ssh-keygen} -q -t ed25519 -N '' -f "{tmp}/$each" || exit
done
exec {program:sshd} -D -e -f {tmp}/sshd_config
"""
SSHD_CONFIG = """
Port {port}
ListenAddress {host}
HostKey {tmp}/host_key
AuthorizedKeysFile {tmp}/client_key.pub
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
"""
NGINX = """
daemon off;
worker_processes 1;
pid {tmp}/nginx.pid;
error_log stderr;
events { }
http {
    access_log /dev/stderr;
    client_body_temp_path {tmp}/body;
    proxy_temp_path {tmp}/proxy;
    fastcgi_temp_path {tmp}/fastcgi;
    uwsgi_temp_path {tmp}/uwsgi;
    scgi_temp_path {tmp}/scgi;
    server {
        listen {host}:{port};
"""
MOSQUITTO = """
listener {port} {host}
allow_anonymous true
"""


def redis(*words: str) -> Recipe:
    """Return redis-server, which writes nothing to disk; `words` are further options, as in "--maxmemory", "1mb"."""
    options = ["--bind", "{host}", "--port", "{port}", "--save", "", "--dir", "{tmp}"]
    return Recipe(["redis-server", *options, *words], {"install": "apt-get install redis-server"})


def memcached(*words: str) -> Recipe:
    """Return memcached; `words` are further options, as in "-m", "1"."""
    options = ["-l", "{host}", "-p", "{port}", "-U", "0", *_as_root("-u", "root")]
    return Recipe(
        ["memcached", *options, *words],
        {
            "stop_signal": signal.SIGKILL,  # it takes a second to see another one, and has nothing to save
            "install": "apt-get install memcached",
        },
    )


def postgresql(*words: str) -> Recipe:
    """Return PostgreSQL with a new database "postgres", whose superuser is "postgres".

    `words` are further options, as in "-c", "max_connections=5". It refuses to be root: root's tests run it as the user
    postgres, or else nobody. Its Unix socket is in `server.directory`.
    """
    return Recipe(
        [SHELL, "-c", POSTGRESQL, "postgresql", *words],
        {
            "ready": "database system is ready to accept connections",
            "cwd": "{tmp}",
            "user": _postgres() if os.getuid() == 0 else None,
            "name": "postgresql",
            "stop_signal": signal.SIGINT,  # the one that does not wait for clients
            "install": "apt-get install postgresql",
        },
    )


def nginx(config: str = "") -> Recipe:
    """Return nginx; `config` is what its `server { }` has besides `listen`.

    Relative paths in it begin in `server.directory`, so the pages are `files={"html/index.html": ...}` by default.
    """
    user = "".join(_as_root("user root;"))
    return Recipe(
        ["nginx", "-p", "{tmp}", "-c", "{tmp}/nginx.conf", "-e", "stderr"],
        {"files": {"nginx.conf": f"{user}{NGINX}{config}\n}}}}\n"}, "install": "apt-get install nginx-light"},
    )


def mosquitto(config: str = "") -> Recipe:
    """Return mosquitto, a broker of MQTT; `config` are further lines of its configuration."""
    user = "".join(_as_root("user root"))
    return Recipe(
        ["mosquitto", "-c", "{tmp}/mosquitto.conf"],
        {"files": {"mosquitto.conf": f"{user}{MOSQUITTO}{config}\n"}, "install": "apt-get install mosquitto"},
    )


def dnsmasq(*words: str) -> Recipe:
    """Return dnsmasq, which answers what `words` say, as in "--address=/wind.example/192.0.2.7", over UDP and TCP."""
    alone = ["--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--pid-file={tmp}/pid"]
    shown = ["--keep-in-foreground", "--log-facility=-", "--log-queries"]
    address = ["--listen-address={host}", "--port={port}", *_as_root("--user=root")]
    return Recipe(
        ["dnsmasq", *shown, *alone, *address, *words],
        {"transport": "udp", "install": "apt-get install dnsmasq-base"},
    )


def sshd(config: str = "") -> Recipe:
    """Return OpenSSH's sshd, with SFTP; `config` are further lines of its configuration.

    The user that runs the tests can log in with the key `client_key` in `server.directory`. The server's own key is
    `host_key.pub` there.
    """
    return Recipe(
        [SHELL, "-c", SSHD],
        {
            "files": {"sshd_config": f"{SSHD_CONFIG}{config}\n"},
            "name": "sshd",
            "install": "apt-get install openssh-server",
        },
    )


def aiosmtpd(*words: str) -> Recipe:
    """Return aiosmtpd, whose mails are a maildir, `mails` in `server.directory`; `words` are further options."""
    keeps = ["-c", "aiosmtpd.handlers.Mailbox", "{tmp}/mails"]
    return _python("aiosmtpd", ["-n", "-l", "{host}:{port}", *words, *keeps], stop_signal=signal.SIGINT)


def wsgi(application: str, *words: str) -> Recipe:
    """Return a WSGI application, "module:name", that waitress serves; `words` are further options of waitress.

    It runs in a process of its own, which imports the module from where the test would.
    """
    return _python("waitress", ["--listen={host}:{port}", *words, _checked("wsgi", application)])


def asgi(application: str, *words: str) -> Recipe:
    """Return an ASGI application, "module:name", that uvicorn serves; `words` are further options of uvicorn.

    It runs in a process of its own, which imports the module from where the test would.
    """
    return _python("uvicorn", ["--host", "{host}", "--port", "{port}", *words, _checked("asgi", application)])


def _python(module: str, words: list[str], stop_signal: int = signal.SIGTERM) -> Recipe:
    """Return the recipe of a Python module that is run as a program."""
    return Recipe(
        [sys.executable, "-m", f"{{module:{module}}}", *words],
        {"name": module, "env": {"PYTHONPATH": ":".join(sys.path)}, "stop_signal": stop_signal},
    )


def _checked(recipe: str, application: Any) -> str:
    if not isinstance(application, str) or not all(application.partition(":")):
        raise UsageError(
            f"recipes.{recipe}({application!r}): expected 'module:name', as in 'shop.web:app'; "
            "the application runs in a process of its own, which imports it"
        )
    return application


def _as_root(*words: str) -> tuple[str, ...]:
    """Return some words if this process is root's, else none."""
    return words if os.getuid() == 0 else ()


def _postgres() -> str:
    """Return the user that PostgreSQL's package has made, or else one that each system has."""
    import pwd  # not everywhere

    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"
