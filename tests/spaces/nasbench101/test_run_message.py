"""The message of a run, decoded one by one and in batches."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_nas.errors import RecordError
from pyg_nas.spaces.nasbench101.run_message import (
    decode_message,
    decode_messages,
)
from tests.spaces.nasbench101 import tfrecord_bytes as tfb

doubles = st.floats(0, 1, width=32) | st.floats()


evaluations = st.builds(
    tfb.evaluation,
    doubles,
    st.lists(st.none() | doubles, min_size=4, max_size=4),
    st.none() | st.text(max_size=5),
)


usual_messages = st.builds(
    tfb.model_metrics,
    st.lists(evaluations, min_size=3, max_size=3),
    st.integers(0, 2**31 - 1),
    st.none() | doubles,
)


odd_messages = st.builds(
    tfb.model_metrics,
    st.lists(evaluations, max_size=4),
    st.none() | st.integers(0, 2**31 - 1),
) | st.binary(max_size=60)


@settings(max_examples=300, deadline=None)
@given(st.lists(usual_messages | odd_messages, max_size=8))
def test_batch_decoder_equals_the_protobuf_library(messages: list[bytes]) -> None:
    expected: list[tuple[list[list[float]], int]] = []
    bad = None
    for i, message in enumerate(messages):
        try:
            expected.append(decode_message(message))
        except RecordError as error:
            bad = (i, str(error))
            break
    readings, parameters, failure = decode_messages(messages)
    assert failure == bad
    if bad is None and messages:
        np.testing.assert_array_equal(readings, np.array([r for r, _ in expected]))
        assert parameters.tolist() == [p for _, p in expected]


def test_batch_decoder_distinguishes_similar_messages() -> None:
    # All of one length: same layout, other numbers; then one whose bytes only look alike.
    alike = [
        tfb.model_metrics(
            [tfb.evaluation(e, [float(i), i / 10, i / 20, i / 30]) for e in (0.0, 2.0, 4.0)],
            1_000_000 + i,
        )
        for i in range(5)
    ]
    other = bytearray(alike[2])
    other[2] = 0x11  # the first evaluation's epoch becomes a second training time
    readings, parameters, failure = decode_messages([*alike, bytes(other)])
    assert failure is None
    assert parameters.tolist() == [1_000_000 + i for i in (0, 1, 2, 3, 4, 2)]
    for i in range(6):
        j = i if i < 5 else 2
        assert readings[i].tolist() == [[j, j / 10, j / 20, j / 30]] * 2
