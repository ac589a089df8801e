"""What every test of ours has: pytester, to run pytest inside a test; Ctrl-C, as in a terminal; a quick collector."""

import gc
import signal

import hypothesis  # imported before the freeze below: at its import it asks what refers to what
import pytest
import trustme  # noqa: F401  # inner runs in this process would import cryptography anew, beside what others hold

pytest_plugins = ["pytester"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell has it ignored by what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("windsock", deadline=None)  # no test is judged by the clock of a busy machine
hypothesis.settings.load_profile("windsock")


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what there is by now: to look through it takes longer than most
    tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def inner_tests_in_order(request: pytest.FixtureRequest) -> None:
    """Have pytest inside a test run its tests in the order in which they stand: what is shown of them is compared."""
    if "pytester" in request.fixturenames:
        request.getfixturevalue("pytester")  # which takes the outer run's options away
        request.getfixturevalue("monkeypatch").setenv("PYTEST_ADDOPTS", "-p no:randomly")
