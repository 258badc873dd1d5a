"""When reports are due, and how they are packed."""

from math import inf

from pystack.base import SeededRandomness
from pystack.rtp.rtcp import (
    Bye,
    Nack,
    Pli,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    parse_compound,
)
from pystack.rtp.streams.reporter import Reporter


def make(mtu: int = 1180) -> Reporter:
    return Reporter(99, "us", 1.0, mtu, SeededRandomness(1))


def sound(datagrams: list[bytes], mtu: int) -> list[list[RtcpPacket]]:
    """Each datagram is a compound by RFC 3550: a report first, and the CNAME of every source that reports in it."""
    compounds = [parse_compound(each) for each in datagrams]
    for data, compound in zip(datagrams, compounds, strict=True):
        assert len(data) <= mtu
        assert isinstance(compound[0], SenderReport | ReceiverReport)
        named = {ssrc for each in compound if isinstance(each, SourceDescription) for ssrc, _ in each.chunks}
        assert named == {each.ssrc for each in compound if isinstance(each, SenderReport | ReceiverReport)}
    return compounds


def test_reports_are_due_about_once_a_second_while_something_happens() -> None:
    reporter = make()
    assert (reporter.deadline, reporter.idle) == (inf, True)
    reporter.wake(10.0)
    assert not reporter.idle
    assert 10.25 <= reporter.deadline <= 10.75
    times = []
    for _ in range(50):
        now = reporter.deadline
        reporter.tick(now - 0.001)
        assert not reporter.due
        reporter.tick(now)
        assert reporter.due
        assert 0.5 <= reporter.deadline - now <= 1.5
        reporter.compose([], [])
        reporter.wake(now)
        times.append(now)
    assert 0.8 < (times[-1] - times[0]) / 49 < 1.2
    # Reports of the last activity, and then the schedule ends.
    reporter.tick(reporter.deadline)
    assert reporter.due
    reporter.compose([], [])
    reporter.tick(reporter.deadline)
    assert (reporter.due, reporter.deadline) == (False, inf)


def test_everything_shares_a_datagram_while_it_fits() -> None:
    reporter = make()
    reports = [(SenderReport(ssrc), "us") for ssrc in (1, 2)]
    (compound,) = sound(reporter.compose(reports, [ReportBlock(5), ReportBlock(6)]), 1180)
    assert [type(each) for each in compound] == [SenderReport, SenderReport, ReceiverReport, SourceDescription]
    assert make().compose([], []) == []


def test_many_streams_are_spread_over_datagrams() -> None:
    for mtu in (200, 548, 1180):
        reporter = make(mtu)
        senders = [(SenderReport(ssrc), f"name {ssrc}") for ssrc in range(1, 100)]
        blocks = [ReportBlock(ssrc) for ssrc in range(1000, 1100)]
        compounds = sound(reporter.compose(senders, blocks), mtu)
        flat = [each for compound in compounds for each in compound]
        assert [each.ssrc for each in flat if isinstance(each, SenderReport)] == list(range(1, 100))
        told = [block.ssrc for each in flat if isinstance(each, ReceiverReport) for block in each.reports]
        assert told == list(range(1000, 1100))


def test_farewells_go_with_a_report_and_a_name() -> None:
    reporter = make()
    for ssrc in range(40):
        reporter.leave(ssrc, "us")
    assert reporter.leaving
    compounds = sound(reporter.compose([], []), 1180)
    assert [
        ssrc for compound in compounds for each in compound if isinstance(each, Bye) for ssrc in each.ssrcs
    ] == list(range(40))
    assert not reporter.leaving


def test_feedback_is_packed_up_to_the_mtu() -> None:
    reporter = make(100)
    packets: list[RtcpPacket] = [Pli(1, ssrc) for ssrc in range(20)]
    datagrams = reporter.pack_feedback(packets, reduced_size=True)
    assert [len(each) for each in datagrams] == [96, 96, 48]
    assert [each for data in datagrams for each in parse_compound(data)] == packets
    assert reporter.pack_feedback([], reduced_size=True) == []
    large: list[RtcpPacket] = [Nack(1, 2, list(range(0, 2000, 20)))]
    assert len(reporter.pack_feedback(large, reduced_size=True)) == 1


def test_without_reduced_size_feedback_follows_a_report_and_a_name() -> None:
    reporter = make(100)
    datagrams = reporter.pack_feedback([Pli(1, ssrc) for ssrc in range(10)], reduced_size=False)
    assert len(datagrams) > 1
    assert all(len(compound) > 2 for compound in sound(datagrams, 100))


def test_cancel() -> None:
    reporter = make()
    reporter.wake(1.0)
    reporter.tick(5.0)
    reporter.cancel()
    assert (reporter.due, reporter.idle, reporter.deadline) == (False, True, inf)
