"""One seed for a run: shown, given, shared by xdist workers, and a test's own whatever else is run."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Run

SHOWS_SEED = """
    import pytest

    @pytest.mark.parametrize("number", range(4))
    def test_it(windsock_seed, number):
        print("seed of", number, "is", windsock_seed)
    """


def seeds_in(result: pytest.RunResult) -> dict[str, str]:
    return dict(re.findall(r"seed of (\d) is (\d+)", result.stdout.str()))


def test_the_header_shows_a_fresh_seed_each_run(run: Run) -> None:
    seeds = set()

    for _ in range(3):
        text = run("def test_it(): pass").stdout.str()
        found = re.search(r"^windsock: seed (\d+), --windsock-seed=(\d+) makes the same faults again$", text, re.M)
        assert found is not None
        assert found[1] == found[2]
        seeds.add(found[1])

    assert len(seeds) == 3


@pytest.mark.parametrize(("given", "seed"), [("123456", 123456), ("0", 0), ("0xff", 255), (str(2**64 - 1), 2**64 - 1)])
def test_a_given_seed_is_used(given: str, seed: int, run: Run) -> None:
    result = run("def test_it(): pass", f"--windsock-seed={given}")

    result.stdout.fnmatch_lines([f"windsock: seed {seed}, --windsock-seed={seed} makes *"])


@pytest.mark.parametrize("given", ["", "x", "-1", "1.5", str(2**64)])
def test_what_is_no_seed_is_a_usage_error(given: str, run: Run) -> None:
    result = run("def test_it(): pass", f"--windsock-seed={given}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --windsock-seed={given}: expected a whole number from 0 to 2*64 - 1"])


def test_each_test_has_a_seed_of_its_own_which_a_run_repeats(run: Run) -> None:
    first = seeds_in(run(SHOWS_SEED, "--windsock-seed=7", "-s"))
    second = seeds_in(run(SHOWS_SEED, "--windsock-seed=7", "-s", "-k", "2 or 3"))
    other = seeds_in(run(SHOWS_SEED, "--windsock-seed=8", "-s"))

    assert len(set(first.values())) == 4
    assert second == {number: first[number] for number in ("2", "3")}
    assert set(first.values()).isdisjoint(other.values())


def test_all_xdist_workers_share_the_seed_of_the_header(run_apart: Run) -> None:
    alone = seeds_in(run_apart(SHOWS_SEED, "-s", "--windsock-seed=99", "-p", "no:xdist"))

    spread = run_apart(SHOWS_SEED, "-n", "2", "-rP", "--windsock-seed=99")

    assert len(alone) == 4
    assert seeds_in(spread) == alone


def test_workers_get_the_fresh_seed_of_a_run_that_was_given_none(run_apart: Run) -> None:
    spread = run_apart(SHOWS_SEED, "-n", "2", "-rP")
    found = re.search(r"windsock: seed (\d+)", spread.stdout.str())
    assert found is not None

    again = run_apart(SHOWS_SEED, "-s", f"--windsock-seed={found[1]}", "-p", "no:xdist")

    assert len(seeds_in(spread)) == 4
    assert seeds_in(again) == seeds_in(spread)


def test_a_group_of_xdist_does_not_change_a_tests_seed(run_apart: Run) -> None:
    code = """
        import pytest

        @pytest.mark.xdist_group("together")
        def test_it(windsock_seed):
            print("seed of", 0, "is", windsock_seed)
        """
    alone = seeds_in(
        run_apart(code, "-s", "--windsock-seed=5", "-p", "no:xdist", "-W", "ignore::pytest.PytestUnknownMarkWarning")
    )

    spread = seeds_in(run_apart(code, "-n", "1", "--dist=loadgroup", "-rP", "--windsock-seed=5"))

    assert len(alone) == 1
    assert spread == alone
