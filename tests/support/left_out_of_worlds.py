"""The tests of the family, the relays and the faults that cannot run in a simulated world, and why.

A key says why, and its values are regular expressions for node ids without `tests/`.
`pytest -p tests.support.in_world --left-out` shows which of them have no failing test any more.
"""

from __future__ import annotations

import re

__all__ = ["LEFT_OUT", "PASS_AT_TIMES", "entry_of", "reason_of"]

LEFT_OUT: dict[str, tuple[str, ...]] = {
    "forks: a world is one process": (
        r".*\[.*[Ff]orking",
        "faults/test_every_fault.py::test_a_fork_error_ends_one_connection",
        "faults/test_every_fault.py::test_a_(killed|paused|resumed)_child_",
        "injection/test_datagram_relays.py::test_a_forked_child_answers_through_the_relay",
        "injection/test_process.py::test_(a_child_|the_child_|the_nth_fork_|fork_is_itself_again)",
        "injection/test_stream_relays.py::test_.*_child_",
        "servers/selecting/test_stopping.py::test_a_handler_that_forks_leaves_the_connection_to_its_child",
        "servers/selecting/test_stopping.py::test_a_request_that_did_not_fork_is_shut_down_though_another_did",
        "servers/test_child_stacks.py::test_a_child_",
        "servers/test_children.py::test_server_close_in_a_forked_process_leaves_the_parent_serving",
        "servers/test_children.py::test_servers_that_fork_at_the_same_time_keep_each_other_quiet",
        "servers/test_fork_probe.py::test_.*child",
        "servers/test_rpc_registration.py::test_a_forked_child_that_closes_the_server_leaves_its_registration",
        "servers/test_threads.py::test_a_fork_in_handle_finishes_in_the_child",
    ),
    "starts a program: its pipes and its end are the kernel's": (
        "servers/selecting/test_stopping.py::test_greenlet_is_not_imported_before_it_is_needed",
        "servers/selecting/test_stopping.py::test_the_interpreter_can_end_while_a_daemon_thread_serves",
        "servers/test_children.py::test_the_output_of_a_child_is_written_once",
        "servers/test_family.py::test_what_a_platform_lacks_is_not_there",
        "servers/test_orphans.py::test_",
        "servers/trio/test_imports.py::test_trio_is_imported_on_first_use_only",
    ),
    "sends a signal: signals come in real time": (
        "servers/test_stopping.py::test_a_signal_handler_can_shut_the_server_down",
    ),
    "has a limit of descriptors set: a world has none": (
        "injection/test_stream_relays.py::test_without_descriptors_the_client_is_reset_and_the_caller_is_told",
        "servers/selecting/test_turns.py::test_lack_of_descriptors_is_waited_out",
        "servers/test_accepting.py::test_descriptors_of_1024_and_more_are_no_limit",
        "servers/test_accepting.py::test_emfile_on_accept_backs_off_and_recovers",
        "servers/trio/test_thread.py::test_a_lack_of_descriptors_is_told_once_and_survived",
    ),
    "sends without waiting: no virtual time passes meanwhile, and a delay holds all of it": (
        r"relay/test_carriers.py::test_stopping_ends_both_ends_in_the_middle_of_much\[.*under_faults",
    ),
    "waits for what the interpreter does once a thread has ended: that takes real time": (
        "servers/selecting/test_garbage.py::test_the_greenlet_of_a_loops_thread_goes_with_the_thread",
    ),
}
PASS_AT_TIMES = {"servers/selecting/test_garbage.py::test_the_greenlet_of_a_loops_thread_goes_with_the_thread"}
"""Entries whose tests fail for some seeds only: `--left-out` does not look at them."""


def entry_of(nodeid: str) -> str | None:
    """Return the expression that leaves a test out; None for a test that runs."""
    return next((each for entries in LEFT_OUT.values() for each in entries if _matches(each, nodeid)), None)


def reason_of(entry: str) -> str:
    """Return why an expression leaves tests out."""
    return next(reason for reason, entries in LEFT_OUT.items() if entry in entries)


def _matches(entry: str, nodeid: str) -> bool:
    return re.match(entry, nodeid.removeprefix("tests/")) is not None
