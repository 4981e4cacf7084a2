"""Where fuzzing starts from: every kind of bad input, and good articles of all shapes, made and not kept as files."""

from __future__ import annotations

import gzip
import json
import sys
from functools import partial

from tests.consumer.payloads import BAD, GOOD, also

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKERS = (partial(gzip.compress, mtime=0), zstd.compress)
ARTICLES = [
    GOOD + b"}",
    json.dumps(
        {"article_id": "7", "title": "T", "author": None, "publish_date": "2026-01-31", "content": "One two."}, indent=1
    ).encode(),
    '{"article_id":"é","content":"日本 \U0001f600\u2028\u0085","title":"\\ud83d\\ude00\\u0000"}'.encode(),
    also(b'"tags":["a",{"b":[1,-0.5e-3,true,false,null,18446744073709551616,1E400000000000000000]}]'),
    also(b'"x":1.5,"":"","\\"":{"d":1,"d":2}'),
    also(b'"x":' + b"9" * 4300 + b',"y":' + b"[" * 140 + b"]" * 140),
]


def seeds() -> list[bytes]:
    """Small: a fuzzer grows them by itself."""
    plain = [*ARTICLES, *(data for data, _ in BAD.values() if len(data) < 6000)]
    packed = [pack(data) for data in ARTICLES for pack in PACKERS]
    return [*plain, *packed, packed[0] + packed[2], packed[1] + packed[3]]
