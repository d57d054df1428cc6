from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_nas.data.tables.official_file import convert, read_official, write_official
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import RecordError
from pyg_nas.graphs.cell import Cell
from pyg_nas.spaces.nasbench101.tfrecord_framing import payloads, record_ranges
from tests.spaces.nasbench101 import tfrecord_bytes as tfb
from tests.spaces.nasbench101.tables import random_table, same

# The cell of input -> 3x3 convolution -> output with a skip, its official hash and parameters
# worked out by hand: see _hand_hash and _HAND_PARAMETERS.
ADJACENCY = "011001000"
OPERATIONS = "input,conv3x3-bn-relu,output"
HALFWAY = [10.5, 0.5, 0.4375, 0.40625]
FINAL = [21.25, 0.75, 0.625, 0.5625]


def _hand_hash() -> str:
    from hashlib import md5

    def digest(text: str) -> str:
        return md5(text.encode()).hexdigest()

    a, b, c = digest("(2, 0, -1)"), digest("(1, 1, 0)"), digest("(0, 2, -2)")
    for _ in range(3):
        a, b, c = (
            digest("|" + "".join(sorted([b, c])) + "|" + a),
            digest(a + "|" + c + "|" + b),
            digest("".join(sorted([a, b])) + "||" + c),
        )
    return digest(str(sorted([a, b, c])))


def _hand_parameters() -> int:
    # One inner vertex that feeds the output: all channels. Input -> vertex and input -> output
    # are 1x1 projections, the operation is a 3x3 convolution; batch norm after each.
    total = 9 * 3 * 128 + 2 * 128
    for stack, channels in enumerate((128, 256, 512)):
        for repeat in range(3):
            before = channels if repeat or not stack else channels // 2
            total += 2 * (before * channels + 2 * channels) + 9 * channels**2 + 2 * channels
    return total + 512 * 10 + 10


HASH = _hand_hash()
PARAMETERS = _hand_parameters()


def hand_payload(epochs: int = 108, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "digest": HASH,
        "epochs": epochs,
        "adjacency": ADJACENCY,
        "operations": OPERATIONS,
        "halfway": HALFWAY,
        "final": FINAL,
        "parameters": PARAMETERS,
    }
    return tfb.payload(**(fields | changes))  # type: ignore[arg-type]


def write(path: Path, *payloads_: bytes) -> Path:
    path.write_bytes(b"".join(map(tfb.record, payloads_)))
    return path


def test_converts_hand_made_records(tmp_path: Path) -> None:
    second = [30.0, 0.9, 0.8, 0.7]
    path = write(
        tmp_path / "in.tfrecord",
        hand_payload(108),
        hand_payload(4),
        hand_payload(108, final=second),
    )
    table = convert(path, tmp_path / "out.hdf5")
    assert table.budgets == (4, 12, 36, 108)
    assert table.hashes.tolist() == [HASH.encode()]
    expected = np.full((1, 4, 3, 2, 4), np.nan, dtype=np.float32)
    expected[0, 3, 0] = expected[0, 0, 0] = [HALFWAY, FINAL]
    expected[0, 3, 1] = [HALFWAY, second]
    np.testing.assert_array_equal(table.metrics, expected)
    assert same(Table.load(tmp_path / "out.hdf5"), table)
    table.check()


def test_only108_leaves_other_budgets_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "in.tfrecord", *[hand_payload(108)] * 3)
    table = read_official(path)
    assert table.metrics.shape == (1, 4, 3, 2, 4)
    assert np.isnan(table.metrics[:, :3]).all()
    assert not np.isnan(table.metrics[:, 3]).any()


def test_reads_other_spellings_of_the_same_list(tmp_path: Path) -> None:
    fields = json.loads(hand_payload())
    wrapped = [*fields[:4], "\n".join([fields[4][:76], fields[4][76:], ""])]
    spellings = [
        json.dumps(fields, separators=(",", ":")),
        json.dumps(fields, indent=1),
        json.dumps(fields).replace("input", "\\u0069nput"),
        json.dumps(wrapped),
    ]
    for spelling in spellings:
        path = write(tmp_path / "in.tfrecord", spelling.encode())
        table = read_official(path)
        assert table.hashes.tolist() == [HASH.encode()]
        np.testing.assert_array_equal(
            table.metrics[0, 3, 0], np.array([HALFWAY, FINAL], dtype=np.float32)
        )


def test_labelled_copies_are_one_cell(tmp_path: Path) -> None:
    # Two inner vertices in either order: one cell, whose first graph is kept.
    cell = {"adjacency": "0110" + "0001" + "0001" + "0000"}
    first = "input,conv3x3-bn-relu,maxpool3x3,output"
    second = "input,maxpool3x3,conv3x3-bn-relu,output"
    from pyg_nas.graphs.cell import Cell

    pair = Cell([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0] * 4], first.split(","))
    fixed = {"digest": pair.hash, "parameters": pair.trainable_parameters, **cell}
    path = write(
        tmp_path / "in.tfrecord",
        hand_payload(operations=first, **fixed),
        hand_payload(operations=second, **fixed),
    )
    table = read_official(path)
    assert len(table) == 1
    assert table.cells[0].operations == tuple(first.split(","))
    assert not np.isnan(table.metrics[0, 3, :2]).any()


def _broken(**changes: object) -> bytes:
    return hand_payload(**changes)  # type: ignore[arg-type]


def _with_metrics(message: bytes) -> bytes:
    fields = json.loads(hand_payload())
    fields[4] = base64.b64encode(message).decode()
    return json.dumps(fields).encode()


def _evaluations(count: int) -> list[bytes]:
    return [tfb.evaluation(float(i), [1.0, 0.5, 0.5, 0.5]) for i in range(count)]


def _with_field(index: int, value: object) -> bytes:
    fields = json.loads(hand_payload())
    fields[index] = value
    return json.dumps(fields).encode()


WRONG_PAYLOADS = {
    "not JSON": (b'["abc", 108', "not JSON"),
    "not UTF-8": (b"\xff\xfe\xfd", "not JSON"),
    "deep JSON": (b"[" * 100_000, "not JSON"),
    "four fields": (b'["a", 1, "b", "c"]', "must be a JSON list"),
    "object": (b'{"hash": 1}', "must be a JSON list"),
    "hash type": (_with_field(0, 5), "module_hash must be a string"),
    "hash digits": (_with_field(0, "xyz"), "32 hex digits"),
    "epochs type": (_with_field(1, "108"), "epochs must be a whole number"),
    "epochs zero": (_with_field(1, 0), "epochs must be a whole number"),
    "epochs true": (_with_field(1, True), "epochs must be a whole number"),
    "adjacency type": (_with_field(2, [0, 1]), "adjacency must be a string"),
    "adjacency digits": (_with_field(2, "01100100"), r"V\*V digits"),
    "adjacency size": (_with_field(2, "0100"), "adjacency is for 2 vertices, operations names 3"),
    "adjacency two": (_with_field(2, "021001000"), "digits 0 and 1"),
    "adjacency unicode": (_with_field(2, "0\u06611001000"), "must be ASCII"),
    "adjacency large": (_with_field(2, "0" * 64), r"V\*V digits"),
    "lower triangle": (_with_field(2, "011001100"), "upper triangular"),
    "unconnected": (_with_field(2, "010000000"), "path from the input"),
    "unknown operation": (_broken(operations="input,conv5x5,output"), "'conv5x5' at vertex 1"),
    "no input": (_broken(operations="output,maxpool3x3,output"), "first operation"),
    "inner input": (_broken(operations="input,input,output"), "first operation"),
    "other hash": (_broken(digest="0" * 32), "not that of the graph"),
    "hash of another cell": (_broken(operations="input,maxpool3x3,output"), "not that of the"),
    "base64": (_with_field(4, "@@@@"), "not base64"),
    "base64 cut": (_with_field(4, "QUJDR"), "not base64"),
    "metrics type": (_with_field(4, 1.5), "metrics must be a string"),
    "no message": (_with_metrics(b"\xff\xff\xff"), "no ModelMetrics message"),
    "two evaluations": (
        _with_metrics(tfb.model_metrics(_evaluations(2), PARAMETERS)),
        "3 evaluations",
    ),
    "four evaluations": (
        _with_metrics(tfb.model_metrics(_evaluations(4), PARAMETERS)),
        "3 evaluations",
    ),
    "no parameters": (
        _with_metrics(tfb.model_metrics(_evaluations(3), None)),
        "trainable parameters",
    ),
    "accuracy above 1": (
        _broken(final=[1.0, 0.5, 1.5, 0.5]),
        "validation_accuracy must be a fraction from 0 to 1, got 1.5",
    ),
    "negative time": (_broken(halfway=[-1.0, 0.5, 0.5, 0.5]), "training_time must be seconds"),
    "infinite time": (_broken(final=[float("inf"), 0.5, 0.5, 0.5]), "training_time must be"),
    "time beyond float32": (_broken(final=[1e300, 0.5, 0.5, 0.5]), "training_time must be"),
    "accuracy NaN": (
        _broken(final=[1.0, 0.5, 0.5, float("nan")]),
        "test_accuracy at the end is missing",
    ),
    "accuracy missing": (
        _broken(halfway=[1.0, None, 0.5, 0.5]),
        "train_accuracy halfway is missing",
    ),
    "other parameters": (_broken(parameters=PARAMETERS + 1), "trainable parameters"),
}


@pytest.mark.parametrize("case", WRONG_PAYLOADS)
def test_an_invalid_record_is_named_by_offset_and_no_file_is_left(
    tmp_path: Path, case: str
) -> None:
    payload, message = WRONG_PAYLOADS[case]
    good = hand_payload()
    source = write(tmp_path / "in.tfrecord", good, payload)
    target = tmp_path / "out.hdf5"
    target.write_text("what was there before")
    offset = len(tfb.record(good))
    with pytest.raises(RecordError, match=f"byte {offset}: .*{message}"):
        convert(source, target)
    assert target.read_text() == "what was there before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.tfrecord", "out.hdf5"]


def test_more_runs_than_three_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.tfrecord", *[hand_payload(36)] * 3, *[hand_payload(36)])
    offset = 3 * len(tfb.record(hand_payload(36)))
    with pytest.raises(RecordError, match=f"byte {offset}: .*{HASH} has more than 3 runs at 36"):
        read_official(source)


def test_a_file_cut_anywhere_is_refused_with_the_offset_of_the_cut_record(tmp_path: Path) -> None:
    first, second = tfb.record(hand_payload(4)), tfb.record(hand_payload(108))
    source = tmp_path / "in.tfrecord"
    for length in range(1, len(first) + len(second)):
        source.write_bytes((first + second)[:length])
        if length == len(first):
            assert len(read_official(source)) == 1
            continue
        start = 0 if length < len(first) else len(first)
        with pytest.raises(RecordError, match=f"byte {start}: the record is cut off"):
            read_official(source)


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    whole = tfb.record(hand_payload(4)) + tfb.record(hand_payload(108))
    source = tmp_path / "in.tfrecord"
    for bit in range(0, 8 * len(whole), 3):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        source.write_bytes(damaged)
        with pytest.raises(RecordError, match=r"byte \d+: the record"):
            read_official(source)


def test_an_absurd_length_with_a_right_checksum_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.tfrecord"
    for length in (2**21, 2**40, 2**64 - 1):
        header = struct.pack("<Q", length)
        source.write_bytes(header + tfb.masked(header) + b"x" * 100)
        with pytest.raises(RecordError, match=f"byte 0: the record has {length} bytes"):
            read_official(source)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(64), b"hello"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "in.tfrecord"
    source.write_bytes(content)
    with pytest.raises(RecordError, match=r"in\.tfrecord"):
        read_official(source)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such file"):
        convert(tmp_path / "none.tfrecord", tmp_path / "out.hdf5")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_the_documented_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    source = tmp_path_factory.mktemp("any") / "in.tfrecord"
    for content in (data, tfb.record(data)):
        source.write_bytes(content)
        with pytest.raises(RecordError):
            read_official(source)


def test_ranges_cover_the_file_in_whole_records(tmp_path: Path) -> None:
    source = tmp_path / "in.tfrecord"
    one = tfb.record(bytes(100_000))
    source.write_bytes(one * 100)
    ranges = list(record_ranges(source))
    assert len(ranges) > 1
    assert [start for start, _ in ranges] == [0, *(end for _, end in ranges[:-1])]
    assert ranges[-1][1] == 100 * len(one)
    assert sum(len(list(payloads(source, *r))) for r in ranges) == 100


def test_too_many_budgets_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.tfrecord", *[hand_payload(e) for e in range(1, 12)])
    with pytest.raises(RecordError, match="more than 8 different budgets"):
        read_official(source)


def test_another_network_is_recognised(tmp_path: Path) -> None:
    path = write(tmp_path / "in.tfrecord", hand_payload(parameters=1000))
    table = read_official(path)
    assert table.trainable_parameters.tolist() == [1000]
    assert "network" in table.about
    table.check()


def test_large_files_give_the_same_as_small_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = random_table(60, seed=8)
    source = tmp_path / "t.tfrecord"
    write_official(table, source)
    monkeypatch.setattr("pyg_nas.spaces.nasbench101.tfrecord_reader._PARALLEL_FROM_BYTES", 0)
    monkeypatch.setattr("pyg_nas.spaces.nasbench101.tfrecord_framing._BLOCK_BYTES", 20_000)
    done: list[tuple[int, int]] = []
    assert same(read_official(source, lambda *at: done.append(at)), table)
    size = source.stat().st_size
    assert len(done) > 10
    assert done[-1] == (size, size)
    # An error in a worker process arrives as the same error.
    damaged = bytearray(source.read_bytes())
    damaged[size // 2] ^= 1
    source.write_bytes(damaged)
    with pytest.raises(RecordError, match=r"byte \d+: the record"):
        read_official(source)


@pytest.fixture
def a_record_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every record is a range of its own, as the records of a large file are of many ranges."""
    longest = max(len(tfb.record(hand_payload(e))) for e in (4, 108))
    monkeypatch.setattr("pyg_nas.spaces.nasbench101.tfrecord_framing._BLOCK_BYTES", longest + 40)


@pytest.mark.usefixtures("a_record_each")
def test_parameters_that_differ_between_ranges_are_refused(tmp_path: Path) -> None:
    first = hand_payload(4)
    path = write(tmp_path / "in.tfrecord", first, hand_payload(108, parameters=PARAMETERS + 1))
    offset = len(tfb.record(first))
    with pytest.raises(RecordError, match=f"byte {offset}: .*trainable parameters"):
        read_official(path)


@pytest.mark.usefixtures("a_record_each")
def test_a_budget_that_comes_late_leaves_earlier_runs_as_they_are(tmp_path: Path) -> None:
    line = Cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"])
    other = {
        "digest": line.hash,
        "adjacency": "010001000",
        "operations": "input,maxpool3x3,output",
        "parameters": line.trainable_parameters,
    }
    second = [30.0, 0.9, 0.8, 0.7]
    path = write(
        tmp_path / "in.tfrecord",
        hand_payload(108),
        hand_payload(50, **other),
        hand_payload(108, final=second),
    )
    table = read_official(path)
    assert table.budgets == (50, 108)
    expected = np.full((2, 2, 3, 2, 4), np.nan, dtype=np.float32)
    expected[0, 1, 0] = expected[1, 0, 0] = [HALFWAY, FINAL]
    expected[0, 1, 1] = [HALFWAY, second]
    np.testing.assert_array_equal(table.metrics, expected)
