"""``sfu serve`` as a process: what it prints, how it refuses, how it leaves."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

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
