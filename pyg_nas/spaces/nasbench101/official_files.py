"""Google's NAS-Bench-101 files."""

from pyg_nas.io.download import RemoteFile

OFFICIAL_FILES = {
    "only108": RemoteFile(
        "https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord",
        522_767_376,
        "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
    ),
    "full": RemoteFile(
        "https://storage.googleapis.com/nasbench/nasbench_full.tfrecord",
        2_085_986_016,
        "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
    ),
}
"""Google's two files; checksums from the README of ``google-research/nasbench``."""
