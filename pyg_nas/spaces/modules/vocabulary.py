"""One vocabulary of operations for networks from PyTorch and from ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

_KINDS = {
    # Products with weights or of two inputs.
    "conv": "conv1d conv2d conv3d convolution Conv ConvInteger QLinearConv FusedConv DeformConv",
    "conv_transpose": "conv_transpose1d conv_transpose2d conv_transpose3d ConvTranspose",
    "linear": "linear addmm addmv bilinear Gemm FusedGemm QGemm",
    "matmul": "matmul mm bmm baddbmm einsum tensordot dot mv MatMul MatMulInteger QLinearMatMul "
    "FusedMatMul Einsum __matmul__ __rmatmul__",
    "attention": "scaled_dot_product_attention flex_attention multi_head_attention_forward "
    "Attention MultiHeadAttention",
    "embedding": "embedding embedding_bag",
    "recurrent": "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell "
    "LSTM GRU RNN",
    # Normalisation.
    "batch_norm": "batch_norm native_batch_norm _native_batch_norm_legit_no_training "
    "BatchNormalization",
    "layer_norm": "layer_norm native_layer_norm LayerNormalization",
    "group_norm": "group_norm native_group_norm GroupNormalization",
    "instance_norm": "instance_norm InstanceNormalization",
    "rms_norm": "rms_norm RMSNormalization SimplifiedLayerNormalization",
    "local_response_norm": "local_response_norm LRN",
    "normalize": "normalize norm linalg_vector_norm linalg_norm LpNormalization",
    # Activations.
    "relu": "relu Relu",
    "relu6": "relu6 hardtanh clamp clip clamp_min clamp_max Clip",
    "leaky_relu": "leaky_relu prelu rrelu LeakyRelu PRelu QLinearLeakyRelu",
    "elu": "elu celu selu Elu Celu Selu",
    "gelu": "gelu Gelu",
    "silu": "silu Swish",
    "mish": "mish Mish",
    "hardswish": "hardswish HardSwish",
    "hardsigmoid": "hardsigmoid HardSigmoid",
    "sigmoid": "sigmoid logsigmoid Sigmoid QLinearSigmoid",
    "tanh": "tanh Tanh",
    "softplus": "softplus softsign Softplus Softsign",
    "softmax": "softmax log_softmax softmin Softmax LogSoftmax QLinearSoftmax",
    "glu": "glu",
    # Pooling and reductions.
    "max_pool": "max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices "
    "max_pool3d_with_indices adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d MaxPool "
    "GlobalMaxPool",
    "avg_pool": "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
    "adaptive_avg_pool3d AveragePool GlobalAveragePool QLinearAveragePool "
    "QLinearGlobalAveragePool lp_pool1d lp_pool2d LpPool",
    "mean": "mean std var std_mean var_mean ReduceMean",
    "sum": "sum cumsum prod ReduceSum ReduceProd CumSum ReduceSumSquare",
    "max": "max amax min amin argmax argmin topk sort argsort ReduceMax ReduceMin ArgMax ArgMin "
    "TopK",
    # Arithmetic, element by element.
    "add": "add sub rsub subtract addcmul addcdiv __add__ __radd__ __iadd__ __sub__ __rsub__ "
    "__isub__ lerp Add Sub Sum QLinearAdd",
    "mul": "mul multiply div true_divide divide __mul__ __rmul__ __imul__ __truediv__ "
    "__rtruediv__ __itruediv__ __floordiv__ floor_divide Mul Div Mod QLinearMul",
    "power": "pow sqrt rsqrt square exp log reciprocal __pow__ __rpow__ expm1 log1p exp2 log2 "
    "Pow Sqrt Exp Log Reciprocal",
    "unary": "abs neg sign floor ceil round sin cos erf __neg__ Abs Neg Sign Floor Ceil Round Sin "
    "Cos Erf",
    "compare": "eq ne lt le gt ge where masked_fill logical_and logical_or logical_not maximum "
    "minimum __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __and__ __or__ __invert__ isnan Equal Less "
    "LessOrEqual Greater GreaterOrEqual Where And Or Not Max Min",
    # Movement of data.
    "reshape": "view _unsafe_view reshape flatten unflatten squeeze unsqueeze expand expand_as "
    "view_as reshape_as Reshape Flatten Squeeze Unsqueeze Expand",
    "transpose": "transpose permute t movedim moveaxis swapaxes swapdims rot90 flip T mT H mH "
    "adjoint Transpose",
    "concat": "cat concat concatenate stack hstack vstack Concat QLinearConcat",
    "split": "split chunk unbind tensor_split split_with_sizes unsafe_chunk unsafe_split Split",
    "slice": "__getitem__ narrow select slice index_select gather take_along_dim index diagonal "
    "masked_select Slice Gather GatherElements GatherND",
    "scatter": "__setitem__ scatter scatter_add index_add index_copy index_put copy masked_scatter "
    "ScatterElements ScatterND",
    "pad": "pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d "
    "replication_pad1d replication_pad2d replication_pad3d Pad",
    "resize": "interpolate upsample upsample_nearest upsample_bilinear upsample_nearest1d "
    "upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d "
    "upsample_bicubic2d upsample_trilinear3d grid_sample grid_sampler grid_sampler_2d "
    "grid_sampler_3d affine_grid Resize Upsample GridSample",
    "pixel_shuffle": "pixel_shuffle pixel_unshuffle channel_shuffle DepthToSpace SpaceToDepth",
    "unfold": "unfold fold im2col col2im Col2Im",
    "roll": "roll",
    "repeat": "repeat repeat_interleave tile broadcast_to Tile",
    "cast": "to _to_copy type type_as float half bfloat16 double int long bool Cast CastLike "
    "QuantizeLinear DequantizeLinear",
    "fft": "fft_fft fft_ifft fft_fft2 fft_ifft2 fft_rfft fft_irfft fft_rfft2 fft_irfft2 "
    "view_as_real view_as_complex complex DFT",
    "dropout": "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout Dropout",
}

TERMINALS = ("output", "input")

OPERATIONS = tuple(_KINDS)
"""Names of the normalised operations."""

FAMILIES = {
    "convolution": "conv conv_transpose",
    "linear": "linear embedding recurrent",
    "attention": "matmul attention softmax",
    "normalisation": "batch_norm layer_norm group_norm instance_norm rms_norm local_response_norm "
    "normalize",
    "activation": "relu relu6 leaky_relu elu gelu silu mish hardswish hardsigmoid sigmoid tanh "
    "softplus glu",
    "pooling": "max_pool avg_pool mean sum max",
    "arithmetic": "add mul power unary compare",
}
"""Families of operations that compute."""

NUM_HASHED_COLUMNS = 8
"""One-hot columns for operations that are not in :data:`OPERATIONS`."""

_KIND_BY_NAME = {name: kind for kind, names in _KINDS.items() for name in names.split()}


def normalised(name: str) -> str:
    """Return the operation of a function of PyTorch or an operator of ONNX.

    A name that is not in the vocabulary is returned unchanged. In-place functions (``add_``) have
    the name of the ordinary ones (``add``).
    """
    if name in _KIND_BY_NAME:
        return _KIND_BY_NAME[name]
    plain = name if name.startswith("__") else name.rstrip("_").lstrip("_")
    return _KIND_BY_NAME.get(plain, plain or name)


def column(operation: str) -> int:
    """Return the one-hot column of a vertex: terminals, operations, then hashed columns."""
    names = TERMINALS + OPERATIONS
    if operation in names:
        return names.index(operation)
    digest = sha256(operation.encode("utf-8", "surrogatepass")).digest()
    return len(names) + digest[0] % NUM_HASHED_COLUMNS


def group_of_column(groups: Mapping[str, str], rest: str) -> NDArray[np.int64]:
    """Return the position in ``groups`` of each one-hot column's group, ``[columns]``.

    Args:
        groups: Names of operations and terminals by group.
        rest: The group of operations that no group has.
    """
    names = list(groups)
    found = {operation: group for group in names for operation in groups[group].split()}
    columns = (*TERMINALS, *OPERATIONS, *[""] * NUM_HASHED_COLUMNS)
    return np.array([names.index(found.get(operation, rest)) for operation in columns])


NUM_COLUMNS = len(TERMINALS) + len(OPERATIONS) + NUM_HASHED_COLUMNS
"""Width of a vertex's one-hot operation."""
