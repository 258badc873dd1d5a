"""One line writes down everything about a connection, and Wireshark reads it; it never costs the connection."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pystack import Certificate, Configuration, DebugOptions, PeerConnection, RtpPacket, UdpMux, connect
from pystack.testing import LinkOptions, read_capture, run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import peer_pair

TEXT = "hello, Wireshark"


async def talk(*configurations: Configuration) -> None:
    """Two connections over real sockets: a message, some media, and the end."""
    one, other = (PeerConnection(each) for each in configurations)
    async with one, other:
        chat = one.create_data_channel("chat")
        voice = one.add_track("audio")
        await connect(one, other)
        await chat.write(TEXT)
        assert await (await other.next_data_channel(timeout=5)).read(timeout=5) == TEXT
        opus = voice.require_codec("opus").payload_type
        for number in range(5):
            assert voice.write(RtpPacket(payload_type=opus, sequence_number=number, payload=b"x" * 50))
        track = await other.next_track(timeout=5)
        assert (await track.receiver.read(timeout=5))[0].payload == b"x" * 50


def debugged(folder: Path, **options: int) -> Configuration:
    return Configuration(debug=DebugOptions(folder=str(folder), **options))


def tshark(*arguments: str) -> str:
    done = subprocess.run(["tshark", "-n", *arguments], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.component("tshark")
def test_wireshark_reads_the_capture_and_decrypts_it_by_itself(tmp_path: Path) -> None:
    asyncio.run(talk(*(Configuration(debug=str(tmp_path / name)) for name in ("one", "other"))))
    for name in ("one", "other"):  # the client of the handshake, and the server, which learns the keys later
        (capture,) = (tmp_path / name).glob("*.pcapng")
        shown = tshark("-r", str(capture), "--enable-heuristic", "rtp_udp")
        for words in (
            "Binding Request",
            "Binding Success Response",
            "Client Hello",
            "Server Hello",
            "Finished",
            "COOKIE_ECHO",
            "DATA_CHANNEL_OPEN",
            "PT=DynamicRTP-Type-111",
        ):
            assert words in shown, (name, words)
        assert "Malformed" not in tshark("-r", str(capture), "-q", "-z", "expert")
        plain = tshark("-r", str(capture), "-x", "-Y", "dtls.app_data")
        assert plain.count("Decrypted DTLS (") == plain.count("Frame (") > 5
        # What is decrypted is SCTP, and has our text; the same lies beside it as plain SCTP.
        told = "".join(re.findall(r"^[0-9a-f]{4}  ((?:[0-9a-f]{2} )+)", plain, re.MULTILINE)).replace(" ", "")
        assert TEXT.encode().hex() in told
        data = tshark("-r", str(capture), "-Y", "sctp.chunk_type==64", "-T", "fields", "-e", "data.data")
        assert TEXT.encode().hex() in data.split()


@pytest.mark.component("tshark")
def test_the_key_log_alone_decrypts_too(tmp_path: Path) -> None:
    asyncio.run(talk(Configuration(debug=str(tmp_path)), Configuration()))
    (capture,) = tmp_path.glob("*.pcapng")
    keys = tmp_path / "keys.log"
    (line,) = keys.read_text().splitlines()
    assert re.fullmatch(r"CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}", line)
    wire = tmp_path / "wire.pcapng"
    subprocess.run(["editcap", "--discard-all-secrets", str(capture), str(wire)], check=True, timeout=60)
    assert "Decrypted DTLS" not in tshark("-r", str(wire), "-x")
    assert "Decrypted DTLS" in tshark("-r", str(wire), "-x", "-o", f"tls.keylog_file:{keys}")


def test_the_trace_is_readable_and_has_times_states_timers_and_descriptions(tmp_path: Path) -> None:
    async def main() -> None:
        async with PeerConnection(Configuration(debug=str(tmp_path))) as one, PeerConnection() as other:
            chat = one.create_data_channel("chat")
            await connect(one, other)
            await chat.wait_open(timeout=5)
            other.abort()
            lost = PeerConnection(Configuration(debug=str(tmp_path)))
            lost.create_data_channel("chat")
            await lost.set_local_description()
            lost.abort()

    asyncio.run(main())
    first, second = sorted(tmp_path.glob("*.txt"), key=lambda path: int(path.stem.rpartition("-")[2]))
    text = first.read_text()
    lines = text.splitlines()
    assert re.match(r" +0\.0\d+  debug     begins at \d+\.\d+, ", lines[0])
    for pattern in (
        r"signaling local offer\nv=0\n",
        r"signaling remote answer\nv=0\n",
        r"ice       [→←] request [0-9a-f]{24} \S+:\d+ ↔ \S+:\d+",
        r"ice       path \S+:\d+ ↔ \S+:\d+",
        r"ice       [→←] success [0-9a-f]{24} ",
        r"peer      ConnectionStateChanged\(state='connected'\)",
        r"dtls      state HANDSHAKING → ",
        r"sctp      state \S+ → established",
        r"sctp      [→←] \d+ bytes: .*DATA tsn=\d+ stream=\d+ \d+ bytes",
        r"peer      PeerConnectionClosed\(reason=",
    ):
        assert re.search(pattern, text), pattern
    assert "PeerConnectionClosed(reason='local')" in second.read_text()
    report, _ = json.JSONDecoder().raw_decode(text, text.index("stats     ") + 10)
    assert report["T"]["packetsReceived"] > 5


def test_timers_are_named_with_their_reason(tmp_path: Path) -> None:
    async def main() -> None:
        async with PeerConnection(Configuration(debug=str(tmp_path))) as one, PeerConnection() as other:
            chat = one.create_data_channel("chat")
            await connect(one, other)
            await chat.wait_open(timeout=5)
            other._driver.close()  # it hears nothing any more
            await chat.write("into the void")
            await asyncio.sleep(1.5)
            other.abort()

    asyncio.run(main())
    (trace,) = tmp_path.glob("*.txt")
    assert re.search(r"^ +\d+\.\d{6}  sctp      timer (t3-rtx|loss-detection)$", trace.read_text(), re.MULTILINE)


def test_the_environment_switches_it_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSTACK_DEBUG", str(tmp_path))
    asyncio.run(talk(Configuration(), Configuration()))
    assert len(list(tmp_path.glob("*.pcapng"))) == len(list(tmp_path.glob("*.txt"))) == 2
    assert len(set((tmp_path / "keys.log").read_text().splitlines())) == 1
    monkeypatch.setenv("PYSTACK_DEBUG", "")
    asyncio.run(talk(Configuration(), Configuration()))
    assert len(list(tmp_path.glob("*.txt"))) == 2


def test_it_is_bounded_and_says_so(tmp_path: Path) -> None:
    asyncio.run(
        talk(
            debugged(tmp_path / "small", capture_bytes=3000, trace_bytes=2000),
            debugged(tmp_path / "none", connections=0),
        )
    )
    (capture,), (trace,) = (list((tmp_path / "small").glob(kind)) for kind in ("*.pcapng", "*.txt"))
    assert 1000 < capture.stat().st_size <= 3000
    assert 500 < trace.stat().st_size <= 2000
    assert read_capture(capture)  # whole blocks
    assert not (tmp_path / "none").exists() or [path.name for path in (tmp_path / "none").iterdir()] == ["keys.log"]


def test_a_full_disk_costs_the_connection_nothing(tmp_path: Path) -> None:
    program = f"""
import asyncio, logging, resource, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.live.test_debug import talk
from pystack import Configuration
logging.basicConfig(format="%(name)s: %(message)s")
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
asyncio.run(talk(Configuration(debug={str(tmp_path)!r}), Configuration(debug={str(tmp_path)!r})))
print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "done\n", done.stderr
    complaints = done.stderr.splitlines()
    assert len(complaints) == 4  # two connections, two files each
    assert all(line.startswith("pystack.debug: nothing more is written to ") for line in complaints)
    assert max(path.stat().st_size for path in tmp_path.iterdir()) <= 1500


def test_files_are_closed_with_the_connection(tmp_path: Path) -> None:
    asyncio.run(talk(Configuration(), Configuration()))
    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(talk(Configuration(debug=str(tmp_path)), Configuration(debug=str(tmp_path))))
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_trace_of_the_applications_own_is_told_too(tmp_path: Path) -> None:
    from pystack.testing import Recording

    recording = Recording()
    certificate = Certificate.generate(1.7e9)
    asyncio.run(talk(Configuration(debug=str(tmp_path), trace=recording, certificate=certificate), Configuration()))
    assert {layer for _, layer, _, _ in recording.packets} == {"dtls", "sctp"}
    assert recording.states


def test_checks_on_a_shared_port_are_seen_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with await UdpMux.open("127.0.0.1", 0) as mux:
            here = Configuration(loopback=True, address_filter=lambda address: address == "127.0.0.1")
            await talk(here, Configuration(mux=mux, debug=str(tmp_path)))

    asyncio.run(main())
    (trace,), (capture,) = (list(tmp_path.glob(kind)) for kind in ("*.txt", "*.pcapng"))
    assert re.search(r"ice       ← request ([0-9a-f]{24}) (?s:.*)ice       → success \1", trace.read_text())
    checks = [datagram for datagram in read_capture(capture) if datagram.payload[0] < 4]
    assert len({datagram.source for datagram in checks}) == 2


def test_a_simulated_network_is_written_down_in_its_own_time(tmp_path: Path) -> None:
    async def main() -> None:
        network = MemoryNetwork(LinkOptions(delay=0.05, loss=0.2), seed=5)
        async with peer_pair(network, Configuration(debug=str(tmp_path))) as (one, other):
            chat = one.create_data_channel("chat")
            await connect(one, other, timeout=60)
            for _ in range(20):
                await chat.write(bytes(1000))
                await asyncio.sleep(1)

    run(main())
    traces = sorted(tmp_path.glob("*.txt"))
    assert len(traces) == 2
    last = re.findall(r"^ *(\d+\.\d{6})  ", traces[0].read_text(), re.MULTILINE)[-1]
    assert float(last) > 20
    captured = read_capture(traces[0].with_suffix(".pcapng"))
    assert captured[-1].time - captured[0].time > 20
