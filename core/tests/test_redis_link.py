"""The link to Redis outlives any number of threads and of failed tries."""

from threading import Thread

from django.conf import settings

from core.redis_link import RedisLink


def test_hundreds_of_short_lived_threads_use_one_link() -> None:
    link = RedisLink(settings.STATE_URL)
    answers: list[object] = []

    for _ in range(300):
        thread = Thread(target=lambda: answers.append(link.call("PING")))
        thread.start()
        thread.join()

    assert answers == [b"PONG"] * 300
