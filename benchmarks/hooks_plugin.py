"""The plugin's fixtures with hooks around each phase that do nothing: the least that any watch over tests costs."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from benchmarks import bare_plugin

globals().update({name: value for name, value in vars(bare_plugin).items() if not name.startswith("__")})


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: object) -> Generator[None, object, object]:
    return (yield)
