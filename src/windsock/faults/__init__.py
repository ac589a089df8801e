"""Faults: values that decide what happens to traffic. No I/O, no clock, no threads."""

from windsock.faults import items, profiles
from windsock.faults.chain import Chain
from windsock.faults.context import FaultContext
from windsock.faults.fault import Fault
from windsock.faults.fault_set import FaultSet
from windsock.faults.handle import FaultHandle, Firing
from windsock.faults.kinds.accept_delay import AcceptDelay
from windsock.faults.kinds.accept_error import AcceptError
from windsock.faults.kinds.backlog_full import BacklogFull
from windsock.faults.kinds.blackhole import Blackhole
from windsock.faults.kinds.close_delay import CloseDelay
from windsock.faults.kinds.corrupt import Corrupt
from windsock.faults.kinds.delay import Delay
from windsock.faults.kinds.dribble import Dribble
from windsock.faults.kinds.drop import Drop
from windsock.faults.kinds.duplicate import Duplicate
from windsock.faults.kinds.fork_error import ForkError
from windsock.faults.kinds.half_close import HalfClose
from windsock.faults.kinds.handler_error import HandlerError
from windsock.faults.kinds.hold import Hold
from windsock.faults.kinds.inject import Inject
from windsock.faults.kinds.kill import Kill
from windsock.faults.kinds.loss import Loss
from windsock.faults.kinds.max_connections import MaxConnections
from windsock.faults.kinds.mtu import Mtu
from windsock.faults.kinds.pause import Pause
from windsock.faults.kinds.queue_limit import QueueLimit
from windsock.faults.kinds.rate import Rate
from windsock.faults.kinds.rebind import Rebind
from windsock.faults.kinds.refuse import Refuse
from windsock.faults.kinds.reorder import Reorder
from windsock.faults.kinds.replace import Replace
from windsock.faults.kinds.reset import Reset
from windsock.faults.kinds.resume import Resume
from windsock.faults.kinds.segment import Segment
from windsock.faults.kinds.stall import Stall
from windsock.faults.kinds.thread_error import ThreadError
from windsock.faults.kinds.tls_alert import TLSAlert
from windsock.faults.kinds.tls_plaintext import TLSPlaintext
from windsock.faults.kinds.tls_stall import TLSStall
from windsock.faults.kinds.tls_truncate import TLSTruncate
from windsock.faults.kinds.truncate import Truncate
from windsock.faults.seeds import derive
from windsock.faults.selector import ConnectionInfo, First, Selector, first
from windsock.faults.stages import Stage

__all__ = [
    "AcceptDelay",
    "AcceptError",
    "BacklogFull",
    "Blackhole",
    "Chain",
    "CloseDelay",
    "ConnectionInfo",
    "Corrupt",
    "Delay",
    "Dribble",
    "Drop",
    "Duplicate",
    "Fault",
    "FaultContext",
    "FaultHandle",
    "FaultSet",
    "Firing",
    "First",
    "ForkError",
    "HalfClose",
    "HandlerError",
    "Hold",
    "Inject",
    "Kill",
    "Loss",
    "MaxConnections",
    "Mtu",
    "Pause",
    "QueueLimit",
    "Rate",
    "Rebind",
    "Refuse",
    "Reorder",
    "Replace",
    "Reset",
    "Resume",
    "Segment",
    "Selector",
    "Stage",
    "Stall",
    "TLSAlert",
    "TLSPlaintext",
    "TLSStall",
    "TLSTruncate",
    "ThreadError",
    "Truncate",
    "derive",
    "first",
    "items",
    "profiles",
]
