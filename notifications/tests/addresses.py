"""URLs that lead to addresses that are nobody's business, in every spelling that some resolver understands."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

import core.tests

PRIVATE_V4: Final = (  # each is tried at connecting, none bound to
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.5.4", "172.31.255.254", "192.168.1.1", "169.254.169.254",  # noqa: S104  # as above
    "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1",
)  # fmt: skip
PRIVATE_V6: Final = (
    "::1",
    "::",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "fe80::1",
    "ff02::1",
    "64:ff9b::1",
    "2002:a00:1::",
)
# What a name server is asked for; in the namespace of the drill it answers each with a private address.
NAMES: Final = ("127.0.0.1.nip.example", "localtest.example", "metadata.example", "six.example", "both.example")


def urls(port: int) -> list[str]:
    """Return all of them, each once."""
    hosts = [*_known_hosts(), *(host for text in PRIVATE_V4 for host in _spellings(IPv4Address(text))), *_six(), *NAMES]
    found = [f"http://{host}:{port}/hook" for host in hosts]
    found += [f"https://{host}:{port}/hook" for host in hosts[:40]]
    found += [form.format(port=port) for form in _TRICKS]
    return list(dict.fromkeys(found))


def _known_hosts() -> Iterator[str]:
    lines = Path(core.tests.__file__).with_name("refused_hosts.txt").read_text(encoding="utf-8").splitlines()
    return (line for line in lines if not line.startswith("#"))


def _six() -> Iterator[str]:
    for text in PRIVATE_V6:
        yield f"[{text}]"
        yield f"[{IPv6Address(text).exploded.upper()}]"


def _spellings(address: IPv4Address) -> Iterator[str]:
    a, b, c, d = address.packed
    number, high, low = int(address), f"{a:02x}{b:02x}", f"{c:02x}{d:02x}"
    yield from (str(address), f"{address}.", f"{number}", f"{number:#x}", f"0{number:o}", f"{number:#X}")
    yield from (f"{a}.{b}.{c * 256 + d}", f"{a}.{number % 2**24}", f"{a:#x}.{b:#x}.{c:#x}.{d:#x}")
    yield from (f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a:#x}.0{b:o}.{c * 256 + d}", f"000{a:o}.{b}.{c}.{d}")
    yield from (f"[::ffff:{address}]", f"[::ffff:{high}:{low}]", f"[0:0:0:0:0:FFFF:{high}:{low}]", f"[::{address}]")
    yield from (
        f"[::ffff:0:{address}]",
        f"[64:ff9b::{address}]",
        f"[64:ff9b::{high}:{low}]",
        f"[64:ff9b:1::{high}:{low}]",
    )
    yield from (f"[2002:{high}:{low}::1]", f"[2001:0:{high}:{low}::]", f"[2001:db8::5efe:{high}:{low}]")
    # Teredo hides the client's address in its complement.
    hidden = int(address) ^ 0xFFFFFFFF
    yield f"[2001:0:4136:e378:8000:63bf:{hidden >> 16:x}:{hidden & 0xFFFF:x}]"
    yield str(address).translate(_FULL_WIDTH)
    yield "".join(f"%{ord(character):02x}" for character in str(address))


_FULL_WIDTH: Final = {ord(digit): 0xFF10 + int(digit) for digit in "0123456789"}
_TRICKS: Final = (
    "http://public.example@127.0.0.1:{port}/", "http://127.0.0.1:{port}@public.example/", "http://a:b@127.0.0.1:{port}/",
    "http://public.example:80@127.0.0.1:{port}/", "http://public.example#@127.0.0.1:{port}/",
    "http://public.example?@127.0.0.1:{port}/", "http://127.0.0.1:{port}\\@public.example/",
    "http://public.example\\@127.0.0.1:{port}/", "http:\\\\127.0.0.1:{port}\\", "http:/127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/", "http:///127.0.0.1:{port}/", "//127.0.0.1:{port}/", "127.0.0.1:{port}/",
    "http://127.0.0.1 :{port}/", "http://127.0.0.1\t:{port}/", "http://127.0.0.1\n:{port}/", " http://127.0.0.1:{port}/",
    "http://\x00127.0.0.1:{port}/", "http://127.0.0.1\u3002:{port}/", "http://127\u30020\u30020\u30021:{port}/",
    "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3:{port}/", "http://loc\u00adalhost:{port}/",
    "http://localhost\u200b:{port}/", "http://LOCALHOST:{port}/", "http://localhost.:{port}/",
    "http://a.localhost:{port}/", "http://localhost.localdomain:{port}/", "http://ip6-localhost:{port}/",
    "http://xn--localhost-:{port}/", "http://127.0.0.1%20:{port}/", "http://127.0.0.1%00public.example:{port}/",
    "http://127.0.0.1%2f:{port}/", "http://%6c%6f%63alhost:{port}/", "http://[::1]:{port}", "http://[::1%25lo]:{port}/",
    "http://[::1%lo]:{port}/", "http://[::1].public.example:{port}/", "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[v1.127.0.0.1]:{port}/", "http://127.0.0.1:0{port}/", "http://127.0.0.1:0/", "http://127.0.0.1:65536/",
    "http://127.0.0.1:-1/", "http://127.0.0.1:{port}abc/", "http://127.0.0.1:+{port}/", "http://127.0.0.1:\uff18\uff10/",
    "ftp://127.0.0.1:{port}/", "gopher://127.0.0.1:{port}/_POST", "dict://127.0.0.1:{port}/", "ldap://127.0.0.1:{port}/",
    "file:///etc/passwd", "file://127.0.0.1:{port}/", "unix:///var/run/docker.sock", "ws://127.0.0.1:{port}/",
    "http+unix://%2fvar%2frun%2fdocker.sock/", "jar:http://127.0.0.1:{port}/!/", "data:text/plain,hello",
    "javascript:fetch('http://127.0.0.1:{port}')", "tftp://127.0.0.1:{port}/", "netdoc:///etc/passwd",
    "http://127.0.0.1:{port}/\r\nHost: public.example", "http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y",
    "HTTP://127.0.0.1:{port}/", "hTtPs://127.0.0.1:{port}/", "", "http://", "http://:{port}/", "http://./", "http://-:{port}/",
)  # fmt: skip
