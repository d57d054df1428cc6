"""Limits on the size of content that is read from files, because a file can declare any size.

Each limit is compared with the declared size before data of that size are read or allocated.
"""

MOST_SETTINGS_BYTES = 64 * 2**20
"""A JSON file: a model's settings have the hash of every training cell, 36 bytes each."""

MOST_LINE_BYTES = 4 * 2**20
"""One line of a JSON Lines or CSV file: a graph of 127 vertices and all its edges has 80 kB."""

MOST_COLUMNS = 1_000
"""Columns of a CSV file: an architecture, its run, four metrics and targets of the user."""

MOST_RECORDS_BYTES = 2**30
"""A JSON Lines file that is read whole: a search over all 15,625 cells of a space has 20 MB."""

MOST_JSON_DEPTH = 64
"""Nesting depth of objects and lists: no file of this package has more than a dozen levels."""

MOST_JSON_VALUES = 4_000_000
"""Values of one JSON file, about 64 bytes of memory each."""

MOST_TABLE_BYTES = 4 * 2**30
"""All columns of a table together: all 423,624 cells of NAS-Bench-101 have 0.2 GB."""

MOST_BATCH_BYTES = 2**30
"""Of one decompressed record batch of an Arrow file, or of all its dictionaries."""

MOST_WEIGHTS_BYTES = 4 * 2**30
"""All weights of a model together: a Gaussian process on 16,000 cells has 2 GB."""

MOST_TENSORS = 100_000
"""Tensors of a model: an ensemble of 100 networks of 20 layers has 6,000."""

MOST_FEATURES = 100_000
"""Features of an architecture: a cell of NAS-Bench-101 has 181, a graph of 127 vertices 52,215."""

MOST_OPERATION_NAMES = 1_000
"""Names of operations in one graph file: a vertex has a column for each of them."""

MOST_PADDED_VERTICES = 10_000
"""Vertices of a graph of which a matrix of all pairs is computed: 0.4 GB of single precision."""

MOST_LAYERS = 1_000
"""Layers of a network: the paper's have 3."""

MOST_MEMBERS = 10_000
"""Networks of one ensemble: 5 are usual."""

MOST_CHANNELS = 8_192
"""Channels of a convolution: the widest common networks have 7,392, and one of 8,192 has 2.4 GB."""

MOST_BATCH = 1_000_000
"""Images in a batch of a training: the largest of the field have 65,536."""

MOST_ARCHIVE_BYTES = 2 * 2**30
"""All arrays of an ``.npz`` file together: CIFAR-10 has 0.2 GB."""

MOST_PIXELS = 64_000_000
"""Pixels of one image: the largest photographs of common cameras have 61 million."""

MOST_IMAGE_BYTES = 2**29
"""An image file: so many pixels of four channels of two bytes have 0.5 GB without compression."""

MOST_IMAGE_SIDE = 1_024
"""Pixels per side of images that are trained on: 32 to 224 are usual."""

MOST_IMAGES_BYTES = 4 * 2**30
"""All images of a task after resizing: 28,000 colour images of 224 pixels per side."""

MOST_ONNX_BYTES = 2 * 2**30
"""An ONNX file: its format, protobuf, allows no more."""

MOST_OPERATORS = 100_000
"""Operators of one network: a ResNet of 152 layers has 516 in ONNX."""

MOST_RANGE = 1_000_000
"""Numbers of a constant range of an ONNX file, 140 bytes of memory each: positions of tokens."""

MOST_EPOCHS = 100_000
"""Epochs of one training: the longest of NAS-Bench-101 has 108, of NAS-Bench-201 200."""

MOST_RUNS = 10_000
"""Runs of one cell at one budget: the tables of the field have at most 3."""

MOST_CELLS = 1_000_000
"""Cells that a search takes in one step, and its rounds: NAS-Bench-101 has 423,624 in all."""

MOST_PASSES = 100_000
"""Timed passes through one network: 25 are usual."""

MOST_RETRIES = 1_000
"""Tries after a failure, or after a measurement that is too noisy: 2 or 3 are usual."""

MOST_SEED = 2**32 - 1
"""A random seed, and any other whole number of the settings: NumPy's generators take no more."""

MOST_DIGITS = 9
"""Digits of a whole number on the command line: a number of cells, or of a run."""

LARGEST_LABEL = 1e100
"""Of labels and targets, either sign: squares of larger numbers, and their sum, may be infinite."""

LARGEST_FLOAT32 = (2 - 2**-23) * 2.0**127
"""Of readings and labels that are stored in single precision."""

LARGEST_FIGURE = 1e300
"""Limit on the numbers of a search, either sign: sums of some of them are finite."""
