"""The benchmark command as users call it, and the promise that it holds: three times less CPU per byte than aiortc."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def benchmark(*arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "--json"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.component("aiortc")
@pytest.mark.timeout(300)
def test_a_data_channel_costs_a_third_of_aiortcs_cpu_per_byte(tmp_path):
    result = benchmark(
        "datachannel", "--rounds", "3", "--case", "16KiB-1proc", "--plot", str(tmp_path / "datachannel.svg")
    )
    assert result["benchmark"] == "datachannel"
    assert {"python", "versions", "cases"} <= result.keys()
    [case] = result["cases"]
    print(case)
    assert case["case"] == "16KiB-1proc"
    assert case["unit"] == "CPU-s/GB"
    assert case["peer_name"].startswith("aiortc ")
    assert case["rounds"] == 3
    assert case["ratio"] == pytest.approx(case["peer"] / case["ours"], rel=0.01)
    assert case["ratio"] >= 3
    assert (tmp_path / "datachannel.svg").read_text().startswith("<svg")


@pytest.mark.component("aiortc")
@pytest.mark.component("pylibsrtp")
def test_several_are_measured_one_after_the_other():
    result = benchmark("srtp", "rtp", "--rounds", "1", "--case", "cm-protect", "--case", "parse-ext4")
    assert list(result) == ["srtp", "rtp"]
    assert [[case["case"] for case in one["cases"]] for one in result.values()] == [["cm-protect"], ["parse-ext4"]]
    assert all(case["ours"] > 0 and case["peer"] > 0 for one in result.values() for case in one["cases"])


def test_forwarding_and_handshakes_are_measured_against_their_floors():
    result = benchmark("forward", "dtls", "--rounds", "1", "--case", "curve-1", "--case", "handshake-1.2")
    assert list(result) == ["forward", "dtls"]
    [forward], [handshake] = (one["cases"] for one in result.values())
    assert (forward["unit"], handshake["unit"]) == ("CPU-us", "CPU-ms")
    assert 0.01 < forward["ratio"] < 1
    assert 0.1 < handshake["ratio"] < 1


@pytest.mark.component("pylibsrtp")
def test_a_case_that_is_not_there_is_named():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "srtp", "--case", "nonsense"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 2
    assert "nonsense" in done.stderr
    assert "gcm-protect" in done.stderr


@pytest.mark.long
@pytest.mark.component("aiortc")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("memory", "--rounds", "1"), {"idle": 1 / 0.7}),
        (
            ("rtp", "--rounds", "3", "--case", "parse-ext4", "--case", "rewrite-ext4"),
            dict.fromkeys(("parse-ext4", "rewrite-ext4"), 3),
        ),
    ],
    ids=["memory", "rtp"],
)
def test_an_idle_connection_and_a_rewritten_packet_cost_what_is_promised(arguments, expected, tmp_path):
    result = benchmark(*arguments, "--plot", str(tmp_path / "drawn.svg"))
    print(result)
    ratios = {case["case"]: case["ratio"] for case in result["cases"]}
    assert ratios.keys() == expected.keys()
    assert all(ratios[name] >= least for name, least in expected.items()), ratios
    assert (tmp_path / "drawn.svg").read_text().startswith("<svg")
