"""Finding: the test itself had a server, a proxy or a program down, or paused."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.downs import Down, ProgramFacts
from windsock.findings.facts import Case, ConnectionFacts, Finding, ServerFacts

__all__ = ["find"]

IN_FORCE = {
    "outage()": "outage() had it down until the end of that `with`",
    "restart()": "restart() had it down",
    "disconnect()": "disconnect() let nothing pass: reconnect() ends that",
    "pause()": "pause() had stopped its processes, so nothing was answered: resume() has them go on",
    "kill()": "kill() had ended it, so nothing was answered: restart() starts it again",
}
"""What to say of each call while it is in force."""


def find(case: Case) -> Iterator[Finding]:
    """Give those that were down when a client failed, or whose latest connection an outage has ended."""
    if not case.failure.has("refused", "timeout", "reset", "end"):
        return
    places: tuple[ServerFacts | ProgramFacts, ...] = (*case.servers, *case.programs)
    for each in places:
        if not each.downs or case.is_about_another(each.address, each.shown):
            continue
        down = each.downs[-1]
        latest = each.connections[-1] if isinstance(each, ServerFacts) and each.connections else None
        if down.was_in_force:
            said = f"{each.name}: {IN_FORCE[down.call]}"
            yield Finding(90, said, (each.name, each.shown), case.in_line_with(each.address))
        elif latest is not None and isinstance(each, ServerFacts) and _was_ended_by(down, latest, case):
            said = f"{down.call} ended the connection, and the client used it again after that: it has to connect anew"
            yield Finding(86, f"{each.at(latest)}: {said}", each.about(latest))


def _was_ended_by(down: Down, latest: ConnectionFacts, case: Case) -> bool:
    end = latest.closed if latest.server_end is None else latest.server_end
    is_within = end is not None and down.ended is not None and down.began <= end <= down.ended
    return is_within and case.failure.has("reset", "end") and latest.peer in (*case.failure.sockets, latest.peer)
