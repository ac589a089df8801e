"""pyfakefs: sockets, recordings and certificates are on the real file system."""

from __future__ import annotations

import os

import pytest

import windsock
from pytest_windsock import early
from tests.neighbours import scenarios
from tests.neighbours.conftest import Run, RunAfter
from tests.support import handlers

pyfakefs = pytest.importorskip("pyfakefs.fake_filesystem_unittest", reason="pyfakefs is not installed")
early.import_windsock(early.PYFAKEFS)


@pytest.mark.parametrize("name", scenarios.ALL)
def test_everything_works_beside_a_fake_file_system(name: str) -> None:
    with pyfakefs.Patcher():
        assert os.listdir("/") != []
        assert not os.path.exists("/etc")

        scenarios.ALL[name]()


def test_everything_works_where_files_were_fake_before_the_import(run_after: RunAfter) -> None:
    """All but trio, which reads real files at its own import."""
    assert run_after("import trio; from pyfakefs.fake_filesystem_unittest import Patcher; Patcher().setUp()") == ""


@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
@pytest.mark.parametrize("concurrency", ["threading", "forking", "selecting", "trio"])
def test_a_server_may_start_before_and_stop_during_it(transport: str, concurrency: str) -> None:
    server = windsock.serving(handlers.EchoLines, transport=transport, concurrency=concurrency)
    with pyfakefs.Patcher():
        scenarios.converse(server)
        server.stop()

    assert transport == "tcp" or not os.path.exists(os.path.dirname(server.path))


@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
def test_a_server_may_start_during_and_stop_after_it(transport: str) -> None:
    with pyfakefs.Patcher():
        server = windsock.serving(handlers.EchoLines, transport=transport, tls=True)
        scenarios.converse(server)
    scenarios.converse(server)
    server.stop()

    assert transport == "tcp" or not os.path.exists(os.path.dirname(server.path))


@pytest.mark.parametrize("name", ["unix_stream_server", "forking_tcp_server", "trio_tcp_server"])
def test_fixtures_in_either_order_and_tests_after_them(name: str, run: Run) -> None:
    """What is imported during `fs` is forgotten at its end; two halves of windsock would not go together."""
    result = run(
        f"""
        import os, pytest

        def talk(server):
            server.echo()
            with server.connect() as client:
                client.send(b"x").expect(b"x")

        @pytest.mark.windsock(tls=True)
        def test_fs_first(fs, {name}):
            fs.create_file("/only/here")
            talk({name})
            assert os.path.exists("/only/here")

        @pytest.mark.windsock(tls=True)
        def test_fs_last({name}, fs):
            talk({name})

        @pytest.mark.windsock(tls=True)
        def test_without({name}):
            talk({name})
        """
    )

    result.assert_outcomes(passed=3)
