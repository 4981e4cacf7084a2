"""Packed payloads: several members, cut short, damaged, and bombs, which cost neither memory nor time."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.payload import MEMBERS, SMALL_BYTES, UNPACKED_BYTES, BadPayload, unpack

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Pack = Callable[[bytes], bytes]
RECORD_BYTES = 1 << 20
PACKERS: dict[str, Pack] = {"gzip": lambda data: gzip.compress(data, mtime=0), "zstd": zstd.compress}
packers = pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)


@packers
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_a_payload_of_several_members_is_put_together(pack: Pack, parts: list[bytes]) -> None:
    assert unpack(b"".join(map(pack, parts))) == b"".join(parts)


@given(st.binary())
def test_what_is_not_packed_is_left_as_it_is(data: bytes) -> None:
    if not data.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        assert unpack(data) == data


@packers
@given(data=st.data())
def test_a_member_that_is_cut_short_is_rejected(pack: Pack, data: st.DataObject) -> None:
    packed = pack(data.draw(st.binary(max_size=300)))
    cut = data.draw(st.integers(4, len(packed) - 1))
    with pytest.raises(BadPayload):
        unpack(packed[:cut])
    with pytest.raises(BadPayload):
        unpack(packed + packed[:cut])


@packers
@given(data=st.data())
def test_damage_is_rejected_or_harmless(pack: Pack, data: st.DataObject) -> None:
    packed = bytearray(pack(b"some text " * 9))
    packed[data.draw(st.integers(4, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        unpack(bytes(packed))
    except BadPayload:
        return


@packers
def test_what_follows_the_last_member_is_rejected(pack: Pack) -> None:
    with pytest.raises(BadPayload):
        unpack(pack(b"x") + b"and more")


@packers
def test_there_is_a_bound_on_members(pack: Pack) -> None:
    assert unpack(pack(b"x") * MEMBERS) == b"x" * MEMBERS
    with pytest.raises(BadPayload, match="members"):
        unpack(pack(b"x") * (MEMBERS + 1))


@packers
def test_the_bound_is_exact(pack: Pack) -> None:
    noise = random.Random(1).randbytes(UNPACKED_BYTES)
    assert unpack(pack(noise)) == noise
    assert unpack(pack(noise[:-1]) + pack(b"x")) == noise[:-1] + b"x"
    for packed in (pack(noise + b"x"), pack(noise) + pack(b"x")):
        with pytest.raises(BadPayload, match="more than"):
            unpack(packed)


@packers
def test_what_unpacks_to_more_than_a_hundred_times_its_size_is_a_bomb_unless_it_is_small(pack: Pack) -> None:
    assert unpack(pack(bytes(SMALL_BYTES))) == bytes(SMALL_BYTES)
    for size in (SMALL_BYTES + 1, 1 << 20, UNPACKED_BYTES):
        with pytest.raises(BadPayload, match="more than"):
            unpack(pack(bytes(size)))
    text = random.Random(1).randbytes(20_000) * 50
    assert unpack(pack(text)) == text


def bombs() -> dict[str, bytes]:
    """Payloads of one record at most, made to cost as much as they can."""
    empty, skippable = zstd.compress(b""), b"\x50\x2a\x4d\x18" + bytes(4)
    gzipped = gzip.compress(b"", mtime=0)
    wide = zstd.compress(random.Random(1).randbytes(1000) * 300_000, options={zstd.CompressionParameter.window_log: 27})
    found = {
        "gzip": zlib.compress(bytes(1 << 29), 9, wbits=31),
        "zstd": zstd.compress(bytes(1 << 29)),
        "zstd with a wide window": wide,
        "empty gzip members": gzipped * (RECORD_BYTES // len(gzipped)),
        "empty zstd frames": empty * (RECORD_BYTES // len(empty)),
        "skippable zstd frames": empty + skippable * (RECORD_BYTES // len(skippable) - 2),
        "gzip members that unpack to much": gzip.compress(bytes(20_000), mtime=0) * 20_000,
    }
    return {name: data[:RECORD_BYTES] for name, data in found.items()}


BOMBS = bombs()
MEASURE = """
import sys
from consumer.decode import decode
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
decode(b"\\x28\\xb5\\x2f\\xfd\\x20\\x00\\x01\\x00\\x00")
data = sys.stdin.buffer.read()
before = peak()
decode(data)
print(peak() - before)
"""


def peak_mebibytes(data: bytes) -> float:
    """What decoding takes at most, beside the payload itself, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", MEASURE], input=data, capture_output=True, timeout=60, check=True)
    return int(done.stdout) / 1024


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_rejected_in_a_moment(bomb: bytes) -> None:
    began = time.process_time()
    with pytest.raises(BadPayload):
        unpack(bomb)
    assert time.process_time() - began < 0.5


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@linux
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_takes_little_memory(bomb: bytes) -> None:
    assert peak_mebibytes(bomb) < 6 * UNPACKED_BYTES / (1 << 20)


HEAVY = {"lists": b"[],", "objects": b"{},", "text": b'"aa",', "numbers": b"1.5,", "members": b'"a":1,'}


@linux
@pytest.mark.parametrize("unit", HEAVY.values(), ids=HEAVY)
def test_the_heaviest_json_fits_into_a_childs_memory(unit: bytes) -> None:
    """Packed just so that it is no bomb."""
    head, tail = (b'{"article_id":"a","content":"c","x":[', b"1]}") if unit != HEAVY["members"] else (b"{", b'"x":1}')
    noise = json.dumps(random.Random(1).randbytes(UNPACKED_BYTES // 80).hex()).encode() + b","
    if unit == HEAVY["members"]:
        noise = b'"n":' + noise
    body = head + noise + unit * ((UNPACKED_BYTES - len(noise) - 60) // len(unit)) + tail
    packed = gzip.compress(body)
    assert unpack(packed) == body
    assert peak_mebibytes(packed) < 160


def test_a_window_of_gigabytes_is_refused() -> None:
    header = b"\x28\xb5\x2f\xfd\x00" + bytes([(31 - 10) << 3])  # a window of 2**31 bytes, no content size
    with pytest.raises(BadPayload):
        unpack(header + b"\x01\x00\x00")
