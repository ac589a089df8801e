"""Each recipe starts the real program, and a real client of it is served."""

from __future__ import annotations

import contextlib
import mailbox
import os
import pwd
import smtplib
import subprocess
import sys
import tempfile
import urllib.request
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.message
import dns.query
import paho.mqtt.publish
import paho.mqtt.subscribe
import psycopg
import pymemcache  # type: ignore[import-untyped]
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from windsock import ProgramEnded, RealServer, UsageError
from windsock.faults import Reset
from windsock.programs import recipes

if TYPE_CHECKING:
    from pytest_windsock import RealServers


@pytest.fixture
def start(real_server: RealServers) -> Any:
    """Start a recipe, or skip the test where its program is not installed and need not be."""
    return partial(real_server, missing="skip")


@pytest.fixture
def others_may_enter(nothing_is_left: None) -> None:
    """Let other users than the one that runs the tests go through the temporary directory of the test."""
    os.chmod(tempfile.gettempdir(), 0o711)


def page(server: RealServer, path: str) -> str:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_redis_keeps_a_value(start: Any) -> None:
    server = start(recipes.redis("--maxmemory", "3mb"))

    with redis.Redis(server.host, server.port, socket_timeout=10) as client:
        client.set("wind", "NW")

        assert client.get("wind") == b"NW"
        assert client.config_get("maxmemory") == {"maxmemory": "3145728"}
        assert client.config_get("dir") == {"dir": server.directory}


def test_a_client_of_redis_reconnects_in_bad_weather(start: Any) -> None:
    server = start(recipes.redis(), framing="redis")
    reset = server.fault(Reset(), times=1)

    with redis.Redis(server.host, server.port, socket_timeout=10, retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(redis.ConnectionError):
            client.set("wind", "NW")
        client.set("wind", "SE")

        assert client.get("wind") == b"SE"
    assert reset.fired == 1


def test_memcached_keeps_a_value(start: Any) -> None:
    server = start(recipes.memcached("-m", "8"))

    with contextlib.closing(pymemcache.Client(server.address, timeout=10)) as client:
        client.set("wind", "NW", noreply=False)

        assert client.get("wind") == b"NW"
        assert client.stats()[b"limit_maxbytes"] == 8 << 20


def test_postgresql_keeps_its_rows_over_a_restart(others_may_enter: None, start: Any) -> None:
    server = start(recipes.postgresql("-c", "max_connections=7"))
    where: dict[str, Any] = {"user": "postgres", "dbname": "postgres", "connect_timeout": 10, "autocommit": True}
    with psycopg.connect(host=server.host, port=server.port, **where) as client:
        client.execute("create table wind (name text)")
        client.execute("insert into wind values ('NW')")

        server.restart()

    with psycopg.connect(host=server.directory, port=server.port, **where) as client:
        assert client.execute("select name from wind").fetchall() == [("NW",)]
        assert client.execute("show max_connections").fetchone() == ("7",)


def test_nginx_serves_files_and_what_its_configuration_says(start: Any) -> None:
    config = "location /wind { return 200 NW; }"

    server = start(recipes.nginx(config), files={"html/index.html": "hello from {host}"})

    assert page(server, "/") == "hello from 127.0.0.1"
    assert page(server, "/wind") == "NW"
    assert server.output.wait_for("GET /wind HTTP/1.1", timeout=10)


def test_mosquitto_passes_a_message_on(start: Any) -> None:
    server = start(recipes.mosquitto("max_keepalive 100"))
    where: dict[str, Any] = {"hostname": server.host, "port": server.port}

    paho.mqtt.publish.single("wind", b"NW", qos=1, retain=True, **where)

    assert paho.mqtt.subscribe.simple("wind", **where).payload == b"NW"  # type: ignore[no-untyped-call]


def test_dnsmasq_answers_over_udp_and_tcp(start: Any) -> None:
    server = start(recipes.dnsmasq("--address=/wind.example/192.0.2.7"))
    question = dns.message.make_query("wind.example", "A")

    for ask in (dns.query.udp, dns.query.tcp):
        answer = ask(question, server.host, 10, server.port)

        assert answer.answer[0].to_text().endswith("192.0.2.7")


def test_sshd_runs_a_command_of_the_user_with_the_key(start: Any) -> None:
    server = start(recipes.sshd("MaxSessions 3"))
    host_key = Path(server.directory, "host_key.pub").read_text()
    known = Path(server.directory, "known_hosts")
    known.write_text(f"[127.0.0.1]:{server.port} {host_key}")
    options = ["-F", "none", "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]
    options += ["-i", f"{server.directory}/client_key", "-p", str(server.port)]

    said = subprocess.run(
        ["ssh", *options, "127.0.0.1", "id -un"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20
    )

    assert (said.stdout.strip(), said.stderr) == (pwd.getpwuid(os.getuid()).pw_name, "")


def test_aiosmtpd_puts_mails_in_a_maildir(start: Any) -> None:
    server = start(recipes.aiosmtpd("--size", "1000"))
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@wind.example", "b@wind.example", "north-west"

    with smtplib.SMTP(server.host, server.port, timeout=10) as client:
        client.send_message(mail)

        assert client.esmtp_features["size"] == "1000"
    with contextlib.closing(mailbox.Maildir(f"{server.directory}/mails")) as mails:
        assert [each["Subject"] for each in mails] == ["north-west"]


def test_a_wrong_configuration_is_told_in_the_words_of_the_program(start: Any) -> None:
    with pytest.raises(
        ProgramEnded, match=r'(?s)exited with code 1 .*unknown directive "blow" in .*nginx.conf:\d+'
    ) as caught:
        start(recipes.nginx("blow north;"))

    assert caught.value.exit_code == 1


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_an_application_is_served_by_a_process_of_its_own(kind: str, start: Any) -> None:
    recipe = getattr(recipes, kind)(f"tests.real_servers.applications:{kind}")

    assert page(start(recipe), "/wind") == "/wind"


@pytest.mark.parametrize("application", ["shop", ":app", print])
def test_an_application_that_no_other_process_can_import_is_a_usage_error(application: Any) -> None:
    with pytest.raises(UsageError, match=r"recipes\.wsgi\(.*expected 'module:name', as in 'shop\.web:app'"):
        recipes.wsgi(application)


WITHOUT_PTRACE = """
from windsock import real_server
from windsock.programs import recipes

with real_server(recipes.dnsmasq()) as server:
    print(server.is_running)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root has capabilities to drop")
def test_root_without_ptrace_as_in_a_container_starts_what_it_may_not_look_into(start: Any) -> None:
    start(recipes.dnsmasq()).stop()  # or this is skipped

    said = subprocess.run(
        ["setpriv", "--bounding-set=-sys_ptrace", sys.executable, "-c", WITHOUT_PTRACE],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
    )

    assert (said.stdout.strip(), said.stderr) == ("True", "")
