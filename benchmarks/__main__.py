"""The command line: `python -m benchmarks [--quick] [NAME ...]`."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from time import monotonic

from benchmarks.table import Result
from windsock.exploration.progress_line import ProgressLine

BENCHMARKS = {
    "fixture": ("benchmarks.fixture_cost", "what a fixture costs a test"),
    "watch": ("benchmarks.watch", "what a passing test pays for the watch over hangs and the verdict"),
    "scopes": ("benchmarks.scopes", "what a test on a server of session scope costs"),
    "combinations": ("benchmarks.combinations", "what one server of each combination costs"),
    "traffic": ("benchmarks.traffic", "round trips, bulk and connections of a recorded server"),
    "selecting": ("benchmarks.selecting", "a selecting server beside asyncio and uvloop"),
    "trio": ("benchmarks.trio_servers", "a trio server beside bare trio streams"),
    "scripts": ("benchmarks.scripts", "scripted clients, and crowds of them, beside bare sockets"),
    "waiting": ("benchmarks.waiting", "clients of a selecting server beside slow ones"),
    "idle": ("benchmarks.idle", "what idle connections take in memory"),
    "proxy": ("benchmarks.proxy", "a proxy without faults beside others, and how exact its faults are"),
    "unused": ("benchmarks.unused", "what the plugin costs where it is not used"),
    "dependencies": ("benchmarks.dependencies", "what each dependency costs a process that imports it"),
    "page": ("benchmarks.page", "an HTML page of 10,000 events: written, opened, scrolled"),
    "house": ("benchmarks.house", "sizes, circles, private accesses and doubles of the code itself"),
    "captures": ("benchmarks.captures", "a transcript of many events, and a capture of a gigabyte"),
    "cassettes": ("benchmarks.cassettes", "a replay beside the server that was recorded, and a cassette of 100 MB"),
    "findings": ("benchmarks.findings", "conclusions about a test whose server had many connections"),
    "rpc": ("benchmarks.rpc", "XDR beside xdrlib3, and calls of Sun RPC beside an echo of equal sizes"),
    "redis": ("benchmarks.redis_rules", "rules for commands of redis beside the same rules for bytes"),
    "http": ("benchmarks.http_rules", "a fake of HTTP beside http.server by hand and pytest-httpserver"),
    "programs": ("benchmarks.programs", "start to ready of redis-server beside by hand, mirakuru and pytest-redis"),
    "simulation": ("benchmarks.simulation", "a simulated world: entered, handing over, sending, sleeping"),
    "explore": ("benchmarks.explore", "defects of clients found in bad weather, false alarms, the cost of an example"),
    "memory": ("benchmarks.memory", "a gigabyte through a recorded server"),
}


def main() -> int:
    """Run what was asked for; return 1 if a figure misses its bound."""
    options = parse()
    core = pin()
    print(f"Python {platform.python_version()}, {platform.system()} {platform.release()}, {core}\n", flush=True)
    results = measure_all(options.names or list(BENCHMARKS), is_quick=options.quick)
    figures = [bound for result in results for bound in result.bounds]
    bounds = [each for each in figures if not each.is_stretch]
    stretches = [each for each in figures if each.is_stretch]
    missed = [each for each in bounds if not each.holds]
    for each in missed:
        print(f"MISSED  {each}")
    for each in stretches:
        if not each.holds:
            print(f"SHORT   {each}")
    print(f"{len(bounds) - len(missed)} of {len(bounds)} figures are within their bounds.")
    print(f"{sum(each.holds for each in stretches)} of {len(stretches)} stretches are reached.")
    return 1 if missed else 0


def parse() -> argparse.Namespace:
    """Return the options."""
    listing = "\n".join(f"  {name:12} {what}" for name, (_, what) in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure windsock beside its peers. Ends with 1 if a figure misses its bound.",
        epilog=f"benchmarks:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones to run (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: an impression, in less time")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    return options


def pin() -> str:
    """Stay on one core, the children too: how often a wake-up crosses cores is chance. Return a word on it."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned to a core: figures will vary more"
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return f"pinned to core {core}"


def measure_all(names: list[str], *, is_quick: bool) -> list[Result]:
    """Run benchmarks; on a terminal, say which one runs."""
    results: list[Result] = []
    with ProgressLine("benchmarks") as progress:
        for name in names:
            progress.show(len(results) / len(names), f"{name}: {BENCHMARKS[name][1]}")
            results.append(measure(name, progress, is_quick=is_quick))
    return results


def measure(name: str, progress: ProgressLine, *, is_quick: bool) -> Result:
    """Run one benchmark and show its table."""
    start = monotonic()
    result: Result = importlib.import_module(BENCHMARKS[name][0]).run(is_quick=is_quick)
    progress.clear()
    print("\n".join(result.lines()), flush=True)
    print(f"  ({name} took {monotonic() - start:.0f} s)\n", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
