"""The protobuf message that contains the results of one training run in NAS-Bench-101 files.

The message (proto2, package ``nasbench``)::

    message ModelMetrics {
      repeated EvaluationData evaluation_data = 1;   // start, halfway, end
      optional int32 trainable_parameters = 2;
      optional double total_time = 3;
    }
    message EvaluationData {
      optional double current_epoch = 1;
      optional double training_time = 2;
      optional double train_accuracy = 3;
      optional double validation_accuracy = 4;
      optional double test_accuracy = 5;
      optional string checkpoint_path = 6;
    }

Source: ``nasbench/lib/model_metrics.proto`` of the official package.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import RecordError
from pyg_nas.spaces.measurements import METRICS, RUN_SHAPE

NUM_EVALUATIONS = 3
"""Evaluations of a run: at the start, halfway and at the end of training."""

_FIELDS = ("current_epoch", *METRICS)
_DOUBLE, _INT32, _STRING, _MESSAGE = 1, 5, 9, 11  # FieldDescriptorProto.Type
_OPTIONAL, _REPEATED = 1, 3  # FieldDescriptorProto.Label

# Key bytes of the wire format: field number << 3 | wire type (0 varint, 1 64-bit, 2 bytes).
_EVALUATION_KEY, _PARAMETERS_KEY, _TOTAL_TIME_KEY = 0x0A, 0x10, 0x19
_DOUBLE_KEYS = {8 * number + 1: name for number, name in enumerate(_FIELDS, start=1)}
_MOST_VARINT_BYTES = 4  # the protobuf library decodes longer parameter counts


@lru_cache(maxsize=1)
def model_metrics_class() -> Any:
    """Return the protobuf class ``ModelMetrics``, built at run time without ``protoc``."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="pyg_nas/model_metrics.proto", package="nasbench", syntax="proto2"
    )
    model = file.message_type.add(name="ModelMetrics")
    model.field.add(
        name="evaluation_data",
        number=1,
        type=_MESSAGE,
        label=_REPEATED,
        type_name=".nasbench.EvaluationData",
    )
    model.field.add(name="trainable_parameters", number=2, type=_INT32, label=_OPTIONAL)
    model.field.add(name="total_time", number=3, type=_DOUBLE, label=_OPTIONAL)
    evaluation = file.message_type.add(name="EvaluationData")
    for number, name in enumerate(_FIELDS, start=1):
        evaluation.field.add(name=name, number=number, type=_DOUBLE, label=_OPTIONAL)
    evaluation.field.add(name="checkpoint_path", number=6, type=_STRING, label=_OPTIONAL)
    # A separate pool: the official package, if imported too, registers the same names.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("nasbench.ModelMetrics"))


def decode_message(data: bytes) -> tuple[list[list[float]], int]:
    """Decode one message with the protobuf library.

    Returns:
        The readings ``[2][4]`` halfway and at the end in the order of :data:`METRICS`, NaN where
        a field is not set, and the trainable parameters.

    Raises:
        RecordError: If ``data`` is not such a message, lacks the parameters, or does not have
            three evaluations.
    """
    from google.protobuf.message import DecodeError

    try:
        message = model_metrics_class().FromString(data)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        raise RecordError(
            f"metrics are no ModelMetrics message ({' '.join(str(error).split())})"
        ) from None
    evaluations = message.evaluation_data
    if len(evaluations) != NUM_EVALUATIONS:
        raise RecordError(
            f"metrics must have {NUM_EVALUATIONS} evaluations (start, halfway, end), "
            f"got {len(evaluations)}"
        )
    if not message.HasField("trainable_parameters"):
        raise RecordError("metrics must have the trainable parameters")
    readings = [
        [getattr(e, name) if e.HasField(name) else float("nan") for name in METRICS]
        for e in evaluations[1:]
    ]
    return readings, int(message.trainable_parameters)


def encode_message(
    epochs: int, readings: NDArray[np.floating[Any]], trainable_parameters: int
) -> bytes:
    """Encode one run.

    The evaluation at the start has its epoch and training time, both 0, but no accuracies, since a
    table does not store them. The total time is left out for the same reason.

    Args:
        epochs: Budget of the run.
        readings: ``[2, 4]`` halfway and at the end, in the order of :data:`METRICS`.
        trainable_parameters: Trainable parameters of the network.
    """
    message = model_metrics_class()(trainable_parameters=trainable_parameters)
    message.evaluation_data.add(current_epoch=0.0, training_time=0.0)
    for epoch, reading in zip((epochs / 2, float(epochs)), readings.tolist(), strict=True):
        message.evaluation_data.add(current_epoch=epoch, **dict(zip(METRICS, reading, strict=True)))
    return bytes(message.SerializeToString())


class DecodeFailure(NamedTuple):
    """Position in its batch of a message that could not be decoded, and why."""

    position: int
    reason: str


def decode_messages(
    messages: list[bytes],
) -> tuple[NDArray[np.float64], NDArray[np.int64], DecodeFailure | None]:
    """Decode many messages at once: :func:`decode_message` for a batch, in a tenth of the time.

    Messages of one length nearly always have one layout, which is determined from the first of them
    by :func:`_layout_of`. Messages that agree with it in all bytes that are not numbers are decoded
    together, the others by the protobuf library.

    Returns:
        Readings float64 ``[n, 2, 4]``, trainable parameters int64 ``[n]``, and the first invalid
        message, or None.
    """
    readings = np.full((len(messages), *RUN_SHAPE), np.nan)
    parameters = np.zeros(len(messages), dtype=np.int64)
    lengths = np.fromiter(map(len, messages), dtype=np.int64, count=len(messages))
    slow: list[int] = []
    for length in np.unique(lengths).tolist():
        indices = np.flatnonzero(lengths == length)
        layout = _layout_of(messages[indices[0]])
        if layout is None:
            slow.extend(indices.tolist())
            continue
        joined = b"".join([messages[i] for i in indices.tolist()])
        rows = np.frombuffer(joined, dtype=np.uint8).reshape(len(indices), length)
        alike = ((rows & layout.mask) == layout.value).all(axis=1)
        slow.extend(indices[~alike].tolist())
        rows, indices = rows[alike], indices[alike]
        for (point, metric), place in layout.doubles.items():
            numbers = np.ascontiguousarray(rows[:, place : place + 8]).view("<f8")
            readings[indices, point, metric] = numbers[:, 0]
        for i in range(layout.parameters_bytes):
            digit = (rows[:, layout.parameters_place + i] & 0x7F).astype(np.int64)
            parameters[indices] |= digit << (7 * i)
    for i in sorted(slow):
        try:
            one, parameters[i] = decode_message(messages[i])
        except RecordError as error:
            return readings, parameters, DecodeFailure(i, str(error))
        readings[i] = one
    return readings, parameters, None


class _Layout(NamedTuple):
    """Positions of the numbers of a message, and the bits that equal layouts have in common."""

    mask: NDArray[np.uint8]
    value: NDArray[np.uint8]
    doubles: dict[tuple[int, int], int]
    parameters_place: int
    parameters_bytes: int


def _layout_of(data: bytes) -> _Layout | None:
    """Parse the wire format of one message; None if it is not of the usual kind.

    The usual kind has three evaluations, each field at most once, nested lengths below 128, and no
    unknown fields.
    """
    mask = np.full(len(data), 0xFF, dtype=np.uint8)
    doubles: dict[tuple[int, int], int] = {}
    place = parameters_place = parameters_bytes = evaluations = 0
    has_total = False
    try:
        while place < len(data):
            key = data[place]
            if key == _EVALUATION_KEY:
                end = place + 2 + data[place + 1]
                if data[place + 1] >= 0x80 or not _walk_evaluation(
                    data, place + 2, end, evaluations - 1, mask, doubles
                ):
                    return None
                evaluations += 1
                place = end
            elif key == _PARAMETERS_KEY and not parameters_bytes:
                parameters_place = place + 1
                parameters_bytes = 1
                while data[place + parameters_bytes] >= 0x80:
                    parameters_bytes += 1
                if parameters_bytes > _MOST_VARINT_BYTES:
                    return None
                place += 1 + parameters_bytes
                mask[parameters_place:place] = 0x80
            elif key == _TOTAL_TIME_KEY and not has_total:
                has_total = True
                mask[place + 1 : place + 9] = 0
                place += 9
            else:
                return None
    except IndexError:
        return None
    if place != len(data) or evaluations != NUM_EVALUATIONS or not parameters_bytes:
        return None
    value = np.frombuffer(data, dtype=np.uint8) & mask
    return _Layout(mask, value, doubles, parameters_place, parameters_bytes)


def _walk_evaluation(
    data: bytes,
    place: int,
    end: int,
    point: int,
    mask: NDArray[np.uint8],
    doubles: dict[tuple[int, int], int],
) -> bool:
    """Parse one evaluation from ``place`` to ``end``; False if it is not of the usual kind."""
    if end > len(data):
        return False
    seen = set()
    while place < end:
        name = _DOUBLE_KEYS.get(data[place])
        if name is None or name in seen or place + 9 > end:
            # A checkpoint path, a repeated or an unknown field: fall back to the protobuf library.
            return False
        seen.add(name)
        mask[place + 1 : place + 9] = 0
        if name in METRICS and point >= 0:
            doubles[point, METRICS.index(name)] = place + 1
        place += 9
    return place == end
