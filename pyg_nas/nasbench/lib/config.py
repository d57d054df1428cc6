"""Settings of the official experiments, by the names of ``nasbench.lib.config``."""

from __future__ import annotations

from typing import Any

from pyg_nas.spaces.nasbench101 import NASBENCH101


def build_config(num_repeats: int = 3) -> dict[str, Any]:
    """Return the settings as a new dictionary, with ``num_repeats`` runs per cell and budget."""
    return {
        "train_data_files": [],
        "valid_data_file": "",
        "test_data_file": "",
        "sample_data_file": "",
        "data_format": "channels_last",
        "num_labels": 10,
        "module_vertices": NASBENCH101.max_vertices,
        "max_edges": NASBENCH101.max_edges,
        "available_ops": list(NASBENCH101.operations),
        "stem_filter_size": 128,
        "num_stacks": 3,
        "num_modules_per_stack": 3,
        "batch_size": 256,
        "train_epochs": 108,
        "train_seconds": 4.0 * 60 * 60,
        "learning_rate": 0.1,
        "lr_decay_method": "COSINE_BY_STEP",
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "max_attempts": 5,
        "intermediate_evaluations": ["0.5"],
        "num_repeats": num_repeats,
        "use_tpu": True,
        "tpu_iterations_per_loop": 100,
        "tpu_num_shards": 2,
    }
