"""Rules of settings: their values, and that no size of a network is believed."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.parameter_rules import (
    DEPTH,
    FLAG,
    GCN_RULES,
    HYBRID_RULES,
    SHARE,
    one_of,
    real,
    where,
    whole,
)


@pytest.mark.parametrize(
    ("rule", "right", "wrong", "text"),
    [
        (whole(least=1), [1, np.int64(3)], [0, 1.0, True, "1", None, 1e300], "a whole number >= 1"),
        (whole(least=1, optional=True), [None, 2], [0], "a whole number >= 1"),
        (whole(), [2**32 - 1], [2**32, 10**300], "at most 4294967295"),
        (real(), [10**300], [10**400], "a finite number"),
        (real(least=0), [0, 0.5, np.float32(2)], [-1, float("nan"), True, "x"], "a finite number"),
        (SHARE, [0, 1, 0.5], [1.01, -0.1, None], "0 to 1|a finite number"),
        (FLAG, [True, np.True_], [1, 0, "yes", None], "true or false"),
        (one_of("a", "b", "c"), ["a", "c"], ["d", 3, None, []], "a, b or c"),
        (where(whole(), lambda n: n % 2 == 0, "even"), [2, -4], [1, 2.0], "even|a whole number"),
    ],
)
def test_rules(rule, right: list, wrong: list, text: str) -> None:  # type: ignore[no-untyped-def]
    for value in right:
        rule("setting", value)
    for value in wrong:
        with pytest.raises(SettingsError, match=f"setting must be ({text}).*, got "):
            rule("setting", value)


@pytest.mark.parametrize("depth", [10**9, 1_001, 0])
def test_no_network_has_a_billion_layers(depth: int) -> None:
    with pytest.raises(SettingsError, match="depth must be"):
        DEPTH("depth", depth)
    DEPTH("depth", 3)


@pytest.mark.parametrize("name", ["ensemble_size", "hidden"])
def test_no_network_is_a_billion_wide(name: str) -> None:
    for rules in (GCN_RULES, HYBRID_RULES):
        rules[name](name, 320)
        with pytest.raises(SettingsError, match=f"{name} must be at most"):
            rules[name](name, 10**9)
