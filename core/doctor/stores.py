"""How Redis, the broker, the file store and the servers that we call are."""

from typing import Any, Final

import redis
from celery import current_app
from django.conf import settings
from django.core.files.storage import default_storage
from kombu.exceptions import OperationalError

from core.breaker import states
from core.doctor.findings import Finding, bad, good, worth_a_look
from core.errors import ServiceUnavailable
from core.redis_link import RedisUnavailable, link_to
from core.scanner import answers, is_configured

_PROBE: Final = "doctor"


def cache() -> Finding:
    """Look whether the cache's Redis answers."""
    advice = "Start it or mend CACHE_URL; until then every read goes to PostgreSQL."
    return _redis("cache", settings.CACHE_URL, advice, wanted_policy=None)


def state() -> Finding:
    """Look whether the limits' Redis answers, and that it evicts nothing."""
    advice = "Start it or mend STATE_URL; until then each process counts for itself."
    return _redis("state", settings.STATE_URL, advice, wanted_policy="noeviction")


def cache_hits() -> Finding:
    """Look whether the cache is worth having."""
    information = _information(settings.CACHE_URL)
    hits, misses = (int(information.get(f"keyspace_{kind}", 0)) for kind in ("hits", "misses"))
    share = hits / (hits + misses) if hits + misses else 1.0
    found = f"{share:.0%} of {hits + misses:,} reads were hits"
    if hits + misses > 10_000 and share < 0.5:
        return worth_a_look(
            "cache hits", found, "Give the cache more memory; see nook_cache_misses_total by namespace."
        )
    return good("cache hits", found)


def broker() -> Finding:
    """Look whether the broker takes a connection."""
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=5)
    except (OperationalError, OSError, redis.RedisError) as error:
        advice = "Start it or mend BROKER_URL; the outbox keeps the work until then."
        return bad("broker", f"does not answer: {type(error).__name__}", advice)
    return good("broker", "answers")


def files() -> Finding:
    """Look whether the file store answers."""
    try:
        default_storage.exists(_PROBE)
    except (ServiceUnavailable, OSError):
        return bad("files", "the store does not answer", "Mend S3_ENDPOINT_URL, S3_BUCKET and its keys, or the folder.")
    return good("files", "the store answers")


def scanner() -> Finding:
    """Look whether the virus scanner answers, where there is one."""
    if not is_configured():
        return good("scanner", "none: files are given out unscanned (CLAMD_URL)")
    if not answers():
        advice = "Start clamd or mend CLAMD_URL; until then new files wait in quarantine, and nothing is lost."
        return bad("scanner", "clamd does not answer", advice)
    return good("scanner", "clamd answers")


def breakers() -> Finding:
    """Look which servers that we call are failing."""
    open_ones = [name for name, state in states().items() if state != "closed"]
    if open_ones:
        advice = "See whether they are up; we try again by ourselves."
        return worth_a_look("breakers", f"open: {', '.join(open_ones)}", advice)
    return good("breakers", "all closed")


def _redis(subject: str, url: str, advice: str, *, wanted_policy: str | None) -> Finding:
    information = _information(url)
    if not information:
        return bad(subject, "Redis does not answer", advice)
    found = f"Redis {information.get('redis_version', '?')}, {information.get('used_memory_human', '?')} used"
    policy = information.get("maxmemory_policy", wanted_policy)
    if wanted_policy is not None and policy != wanted_policy:
        return worth_a_look(subject, f"{found}, evicts ({policy})", f"Set maxmemory-policy {wanted_policy}.")
    return good(subject, found)


def _information(url: str) -> dict[str, str]:
    try:
        reply: Any = link_to(url).call("INFO")
    except (RedisUnavailable, redis.ResponseError):
        return {}
    text = reply.decode() if isinstance(reply, bytes) else str(reply)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
