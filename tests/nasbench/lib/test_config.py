from __future__ import annotations

from pyg_nas.nasbench.lib.config import build_config


def test_settings_are_a_new_dictionary_each_time() -> None:
    config = build_config()
    assert config["available_ops"] == ["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"]
    assert (config["module_vertices"], config["max_edges"], config["num_repeats"]) == (7, 9, 3)
    config["available_ops"].clear()
    assert len(build_config()["available_ops"]) == 3
