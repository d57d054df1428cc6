"""Errors are of one family, and what they quote stays short and on one line."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from pyg_nas import errors


def test_every_error_is_one_that_the_command_line_prints() -> None:
    own = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert len(own) >= 9
    assert all(issubclass(kind, errors.PygNasError) for kind in own)


def test_long_values_are_cut_and_messages_are_one_line() -> None:
    assert errors.quoted("x" * 500, most=10) == "'xxxxxx..."
    assert errors.quoted([1, 2]) == "[1, 2]"
    assert errors.one_line(ValueError("a\n  b")) == "a b"


def test_commands_name_options_where_functions_name_arguments() -> None:
    message = f"leave away {errors.argument('image_size')} or {errors.argument('metric')}"
    assert message == "leave away the argument `image_size` or the argument `metric`"
    assert errors.with_options(message) == "leave away --image-size or --metric"
    quoted = "a builder of yours: ValueError: the argument is too large, or the argument width"
    assert errors.with_options(quoted) == quoted


def test_lists_of_names_are_cut() -> None:
    assert errors.listed([]) == "none"
    assert errors.listed(range(3)) == "0, 1, 2"
    assert errors.listed(range(2_000), most=2) == "0, 1 and 1,998 more"
    assert errors.listed(["a" * 10**6]) == "a" * 197 + "..."


def test_the_first_true_value() -> None:
    assert errors.first_true(np.array([False, True, True])) == 1
    assert errors.first_true(np.array([False])) is None
    assert errors.first_true(np.array([], dtype=bool)) is None


def test_the_first_repeated_value_and_its_places() -> None:
    assert errors.first_repeated("abcbc") == ("b", 1, 3)
    assert errors.first_repeated([]) is None
    many = [*map(str, range(200_000)), "7"]  # a comparison of all pairs would take minutes
    assert errors.first_repeated(many) == ("7", 7, 200_000)


def test_the_first_setting_that_differs() -> None:
    before, asked = {"a": 1, "b": {"c": [1], "d": 2}}, {"a": 1, "b": {"c": [2], "e": 3}}
    assert errors.first_difference("", before, asked) == ("b.c", [1], [2])
    assert errors.first_difference("s", {}, {"a": 1}) == ("s.a", None, 1)
    assert errors.first_difference("s", 3, {"a": 1}) == ("s", 3, {"a": 1})


def test_values_and_errors_without_a_text_are_named_by_their_class() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

    assert errors.quoted(SilentError()) == "<SilentError>"
    assert errors.one_line(SilentError()) == "SilentError"
    assert errors.one_line(ValueError()) == "ValueError"


def test_a_count_is_from_1_to_its_limit() -> None:
    errors.check_count("runs", 1, 1000)
    errors.check_count("runs", 1000, 1000)
    for wrong in (0, 1001):
        with pytest.raises(errors.SettingsError, match=f"at most 1,000, got {wrong}"):
            errors.check_count("runs", wrong, 1000)
    errors.check_count("seed", np.int64(0), least=0)
    for other in (2.0, "2", None, np.array(2), np.random.default_rng(0)):
        with pytest.raises(errors.SettingsError, match="runs must be a whole number, got "):
            errors.check_count("runs", other)
