"""`proxy`: a recording proxy in front of any server, under faults."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from windsock.commands.options import add_command, add_faults, add_framing, add_output, typed
from windsock.commands.output import Output
from windsock.commands.session import run_until_stopped
from windsock.commands.signals import StopRequest
from windsock.commands.texts import address_from
from windsock.errors import UsageError
from windsock.net import addresses
from windsock.proxies.proxy import proxy

if TYPE_CHECKING:
    import ssl

__all__ = ["add_proxy", "add_target", "options_from"]

PASSED_ON = ("listen", "allow_external", "framing", "seed", "server_name", "strict", "redact")
"""Options of the same name as keywords of `windsock.proxy()`."""

EXAMPLES = """
examples:
  windsock proxy localhost:6379 --protocol redis
  windsock proxy localhost:5432 --listen :6000 --fault 'Delay(0.1, jitter=0.05)'
  windsock proxy localhost:80 --fault 'Reset(after_bytes=100), connections=first(2)' --fault flaky
  windsock proxy api.example:443 --tls --upstream-tls --protocol http
  windsock proxy /run/app.sock --json
"""


def add_proxy(commands: Any) -> None:
    """Add the command to those of a parser."""
    parser = add_command(
        commands,
        "proxy",
        help="a proxy in front of any server, which shows what passes, and makes bad weather",
        description="Carry connections to TARGET, and print what passes, until Ctrl-C or SIGTERM.",
        examples=EXAMPLES,
        run=run_proxy,
    )
    add_target(parser)
    add_faults(parser)
    add_output(parser)


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add what says where a proxy stands and how it reads what passes: see `options_from`."""
    address = typed(address_from)
    parser.add_argument(
        "target", metavar="TARGET", type=address, help="HOST:PORT, [IPv6]:PORT, :PORT, a path with a '/', or @NAME"
    )
    parser.add_argument(
        "--listen", metavar="ADDRESS", type=address, help="where clients connect (default: a free port)"
    )
    parser.add_argument("--allow-external", action="store_true", help="let other machines connect, with --listen")
    parser.add_argument("--udp", action="store_true", help="carry datagrams")
    _add_tls(parser)
    add_framing(parser)


def _add_tls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tls", action="store_true", help="end the clients' TLS, with a certificate that windsock makes"
    )
    parser.add_argument("--upstream-tls", action="store_true", help="speak TLS to TARGET")
    parser.add_argument("--upstream-ca", metavar="FILE", help="the authority of TARGET, as PEM (default: the system's)")
    parser.add_argument("--server-name", metavar="NAME", help="the name that TARGET's certificate is for")


def run_proxy(arguments: argparse.Namespace, output: Output, stop: StopRequest) -> int:
    """Run the command; return the exit code."""
    options, facts = options_from(arguments)
    return run_until_stopped(proxy(arguments.target, **options), output, stop, facts)


def options_from(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the keywords of `windsock.proxy()` that options give, and what is said of them to the user."""
    facts = {"target": addresses.show(arguments.target)}
    options = {name: getattr(arguments, name) for name in PASSED_ON}
    options |= {"transport": _transport(arguments), "faults": arguments.fault}
    if arguments.tls:
        from windsock.security.run_authority import RunAuthority

        authority = RunAuthority()
        options["tls"] = authority.server_context(_names(arguments))
        facts["certificate authority"] = authority.pem_file
    if arguments.upstream_tls:
        options["upstream_tls"] = _client_context(arguments.upstream_ca)
    return options, facts


def _transport(arguments: argparse.Namespace) -> str | None:
    if not arguments.udp:
        return None
    return "udp" if isinstance(arguments.target, tuple) else "unix_datagram"


def _names(arguments: argparse.Namespace) -> list[str]:
    """Return the names for the certificate: those of this machine, and that of the target."""
    own = ["localhost", "127.0.0.1", "::1"]
    name = arguments.server_name or (arguments.target[0] if isinstance(arguments.target, tuple) else "localhost")
    return own if name in own else [*own, name]


def _client_context(authority: str | None) -> ssl.SSLContext:
    from windsock.net.system import ssl

    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise UsageError(f"--upstream-ca {authority}: {error}; expected a PEM file with certificates") from None
