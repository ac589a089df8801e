"""The fixture windsock_ca: the run's authority, in tests and in fixtures of every scope."""

from __future__ import annotations

from tests.plugin.conftest import Run


def test_the_authority_is_one_for_the_run(run: Run) -> None:
    result = run(
        """
        import ssl

        import pytest
        from windsock import Script
        from windsock.security import RunAuthority

        @pytest.fixture(scope="session")
        def context(windsock_ca: RunAuthority):
            context = ssl.create_default_context(cafile=windsock_ca.pem_file)
            return context

        @pytest.mark.windsock(tls=True, certificate=["api.example"])
        def test_names(tcp_server, windsock_ca, context):
            assert windsock_ca.ca is tcp_server.ca
            assert windsock_ca.pem_file == tcp_server.ca_file
            tcp_server.play(Script().expect(b"a"))
            with tcp_server.connect(tls=context, server_hostname="api.example") as client:
                client.send(b"a")

        def test_an_issued_certificate(serve, windsock_ca, context):
            server = serve(tls=True, certificate=windsock_ca.issue("b.example"))
            server.play(Script().expect(b"a"))
            with server.connect(tls=context, server_hostname="b.example") as client:
                client.send(b"a")
        """
    )

    result.assert_outcomes(passed=2)


def test_the_fixture_is_explained(run: Run) -> None:
    result = run("def test_it(): pass", "--fixtures")

    result.stdout.fnmatch_lines(["windsock_ca [[]session scope[]]*", "*certificate authority*issue*"])
