"""Numbers as a report shows them."""

from __future__ import annotations

import json

from pyg_nas.io.text import markdown, markup
from pyg_nas.report.text import duration, excerpt, number, quantity


def test_numbers_for_readers() -> None:
    assert [quantity(v) for v in (12, 1_234, 5_040_000, 2.5e9, float("nan"))] == [
        "12",
        "1.23 k",
        "5.04 M",
        "2.50 G",
        "–",
    ]
    assert [duration(v) for v in (3.21, 600, 7_200, float("nan"))] == [
        "3.2 s",
        "10.0 min",
        "2.0 h",
        "–",
    ]
    assert number(1234.5, 1) == "1,234.5"


def test_markup_and_what_no_encoding_can_write_stay_text() -> None:
    assert markup("<b>&\x1b\udcff\u202e'") == "&lt;b&gt;&amp;\\x1b\\udcff\\u202e&#x27;"
    assert markdown("a|b `c` <d> *e* _f_ $g$") == (r"a\|b \`c\` \<d\> \*e\* \_f\_ \$g\$")


def test_an_excerpt_is_bounded_and_keeps_what_is_small() -> None:
    small = {"a": [1, None, {"b": True}], "c": "d"}
    assert excerpt(small) == small
    deep: object = 1
    for _ in range(5_000):
        deep = [deep]
    wide = {str(i): list(range(500)) for i in range(500)}
    shown = excerpt({"deep": deep, "wide": wide, "long": "x" * 10**6})
    assert len(json.dumps(shown)) < 100_000
    assert shown["wide"]["…"] == "400 more"
