"""Numbers for Prometheus: what its own parser reads is what there is."""

from prometheus_client.parser import text_string_to_metric_families

from tests.live.sfu_client import Client, run, serving, until


async def read(http):
    async with http.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(await answer.text())
        return {
            (sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples
        }


def test_what_is_told_is_what_there_is():
    async def main():
        async with serving(metrics=True, webhook_urls=("http://127.0.0.1:9/nobody",)) as (_, http):
            empty = await read(http)
            assert empty["sfu_info", "1.2.3"] == 1
            assert empty["sfu_rooms",] == empty["sfu_participants",] == empty["sfu_tracks", "audio"] == 0
            ada, grace = await Client(http, "ada").join(), await Client(http, "grace").join()
            await ada.publish("audio", "voice")
            await until(lambda: grace.receiver(ada.published["voice"]) is not None)
            full = await read(http)
            assert (full["sfu_rooms",], full["sfu_participants",], full["sfu_limited_subscribers",]) == (1, 2, 0)
            assert (full["sfu_tracks", "audio"], full["sfu_tracks", "video"], full["sfu_subscriptions",]) == (1, 0, 1)
            assert full["sfu_room_events_total", "participant_joined"] == 2
            assert full["sfu_media_datagrams_total", "in"] > 10
            assert full["sfu_media_bytes_total", "out"] > full["sfu_media_datagrams_total", "out"]
            assert full["sfu_webhook_waiting", "http://127.0.0.1:9/nobody"] >= 3
            await ada.close()
            await until(lambda: "ada" not in grace.people)
            after = await read(http)
            assert (after["sfu_participants",], after["sfu_tracks", "audio"]) == (1, 0)
            assert after["sfu_room_events_total", "participant_left"] == 1
            assert after["sfu_media_bytes_total", "in"] > full["sfu_media_bytes_total", "in"]
            await grace.close()

    run(main())


def test_without_the_setting_nothing_is_told():
    async def main():
        async with serving() as (_, http), http.get("/metrics") as answer:
            assert answer.status == 404

    run(main())
