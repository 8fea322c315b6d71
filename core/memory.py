"""How much memory there is: of the container where there is one, else of the machine."""

from pathlib import Path

_GROUP = Path("/sys/fs/cgroup")
_MACHINE = Path("/proc/meminfo")


def limit_and_used() -> tuple[int, int]:
    """Return the limit and what is used of it, both in bytes; zeros where the system does not say."""
    return _of_container() or _of_machine()


def _of_container() -> tuple[int, int] | None:
    try:
        limit = int((_GROUP / "memory.max").read_text())
        used = int((_GROUP / "memory.current").read_text())
        statistics = dict(line.split() for line in (_GROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return limit, used - int(statistics.get("inactive_file", 0))


def _of_machine() -> tuple[int, int]:
    try:
        lines = _MACHINE.read_text().splitlines()
    except OSError:
        return 0, 0
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    total = kilobytes["MemTotal"] * 1024
    return total, total - kilobytes["MemAvailable"] * 1024
