"""``sfu serve`` as a process: what it prints, how it refuses, how it leaves."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from sfu.server.cli import main

COMMAND = [sys.executable, "-m", "sfu", "serve", "--dev", "--media-port", "0"]


def start(*arguments):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def read_greeting(process):
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith("stop with"):
            return lines
    raise AssertionError(f"no greeting: {lines} {process.stderr.read()}")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_links_that_work_and_leaves_cleanly(how):
    with start("--port", "0") as process:
        try:
            lines = read_greeting(process)
            links = [line.split()[1] for line in lines if line.strip().startswith("join")]
            assert len(links) == 2
            assert all("room=demo&name=" in link for link in links)
            with urllib.request.urlopen(links[0], timeout=5) as page:
                assert page.status == 200
            began = time.monotonic()
            process.send_signal(how)
            assert process.wait(timeout=10) == 0
            assert time.monotonic() - began < 5
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def test_a_port_in_use_is_one_line_and_code_2():
    with start("--port", "0") as process:
        try:
            greeting = "\n".join(read_greeting(process))
            port = re.search(r"http://127\.0\.0\.1:(\d+)/", greeting).group(1)
            with start("--port", port) as second:
                assert second.wait(timeout=20) == 2
                error = second.stderr.read()
            assert error.startswith("sfu: port: TCP 127.0.0.1:" + port)
            assert "--port" in error
            assert error.count("\n") == 1
        finally:
            process.kill()


def test_a_second_ctrl_c_ends_at_once_and_without_a_trace():
    """The first one waits for clients; a client that never reads its goodbye must not hold the person up."""
    with start("--port", "0") as process:
        try:
            greeting = "\n".join(read_greeting(process))
            port = re.search(r"http://127\.0\.0\.1:(\d+)/", greeting).group(1)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/dev/token?room=r&name=n", timeout=5) as reply:
                token = json.load(reply)["token"]
            with socket.create_connection(("127.0.0.1", int(port))) as deaf:
                deaf.sendall(
                    f"GET /rtc/v1?access_token={token} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Version: 13\r\n\r\n".encode()
                )
                assert b"101" in deaf.recv(12)
                process.send_signal(signal.SIGINT)
                time.sleep(0.15)
                process.send_signal(signal.SIGINT)
                assert process.wait(timeout=10) in {0, 130, -signal.SIGINT}
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--room", "", "--identity", "ada"], "may be empty"),
        (["--room", "demo", "--identity", "a" * 300], "256 characters"),
    ],
)
def test_a_token_that_would_let_nobody_in_is_not_made(capsys, arguments, words):
    assert main(["token", "--dev", *arguments], {}) == 2
    assert words in capsys.readouterr().err


def shell(script):
    """A command line as people type it; everything in it is one process group, as in a terminal."""
    return subprocess.Popen(
        ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


SERVE = f"{sys.executable} -m sfu serve --dev --port 0 --media-port 0"


def test_ctrl_c_ends_cleanly_also_when_the_reader_of_its_output_has_gone():
    """As "sfu serve | tee" does: both hear Ctrl-C, and the other one is faster."""
    with start("--port", "0") as process:
        try:
            read_greeting(process)
            process.stdout.close()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


@pytest.mark.parametrize("output", [">&-", "2>&-", ">/dev/full", "2>/dev/full", ">&- 2>&- <&-"])
def test_a_server_whose_output_nobody_takes_serves_and_ends_cleanly(output):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with shell(f"exec {SERVE.replace('--port 0', f'--port {port}', 1)} {output}") as process:
        try:
            for _ in range(100):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as page:
                        assert page.status == 200
                        break
                except OSError:
                    assert process.poll() is None, process.stderr.read()
                    time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


INTERRUPTED = """
import os, signal, sys, sfu.__main__
class CtrlC:
    def find_spec(self, name, *_):
        if name == "sfu.server.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, CtrlC())
sys.exit(sfu.__main__.main())
"""


def test_ctrl_c_while_it_loads_is_no_trace():
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=20, check=False
    )
    assert (process.returncode, process.stdout, process.stderr) == (130, "", "")


@pytest.mark.parametrize("limit", [10, 14])
def test_too_few_descriptors_are_named_with_the_remedy(limit):
    with shell(f"ulimit -n {limit}; exec {SERVE}") as process:
        try:
            assert process.wait(timeout=20) == 2
            error = process.stderr.read().splitlines()[-1]
            assert error.startswith(f"sfu: the limit of open files is used up ({limit})")
            assert "ulimit -n" in error
            assert "media_port" not in error
        finally:
            process.kill()


def test_it_takes_as_many_descriptors_as_it_is_allowed():
    with shell(f"ulimit -Sn 100; ulimit -Hn 300; exec {SERVE}") as process:
        try:
            read_greeting(process)
            with open(f"/proc/{process.pid}/limits", encoding="utf-8") as limits:
                assert re.search(r"Max open files +300 +300", limits.read())
        finally:
            process.kill()
