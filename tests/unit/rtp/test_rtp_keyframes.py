"""Key-frame requests: the first at once, the others merged."""

from math import inf

from pystack.rtp.streams.keyframes import KeyFrameRequests


def test_the_first_at_once_the_others_merged_into_one_at_the_end_of_the_interval() -> None:
    requests: KeyFrameRequests[str] = KeyFrameRequests()
    requests.request("a", 1.0, 0.5)
    requests.request("a", 1.0, 0.5)
    assert requests.take() == ["a"]
    assert requests.take() == []
    for at in (1.1, 1.2, 1.49):
        requests.request("a", at, 0.5)
    requests.request("b", 1.3, 1.0)
    assert requests.take() == ["b"]
    assert (requests.deadline, requests.merged) == (1.5, 4)
    requests.tick(1.49)
    assert requests.take() == []
    requests.tick(1.5)
    assert requests.take() == ["a"]
    assert requests.deadline == inf
    requests.request("a", 1.9, 0.5)
    assert requests.deadline == 2.0
    requests.tick(5.0)
    requests.request("a", 5.0, 0.5)
    assert requests.take() == ["a"]


def test_a_key_frame_answers_what_waits() -> None:
    requests: KeyFrameRequests[str] = KeyFrameRequests()
    for at in (1.0, 1.1):
        requests.request("a", at, 0.5)
    requests.take()
    requests.arrived("a")
    requests.arrived("a")
    assert requests.deadline == inf
    requests.tick(2.0)
    assert requests.take() == []


def test_removed_keys_are_forgotten() -> None:
    requests: KeyFrameRequests[str] = KeyFrameRequests()
    for key in "ab":
        requests.request(key, 1.0, 0.5)
        requests.request(key, 1.1, 0.5)
    requests.remove(lambda key: key == "a")
    assert requests.take() == ["b"]
    requests.request("a", 1.2, 0.5)
    assert requests.take() == ["a"]
    requests.take()
    requests.request("a", 1.3, 0.5)
    requests.remove(lambda key: True)
    assert requests.deadline == inf
