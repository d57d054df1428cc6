"""Drawings of architectures: files drawn by matplotlib, and small SVG texts for HTML pages.

A graph of up to 30 vertices is drawn vertex by vertex. In a larger one each chain of vertices
becomes one box; if all are one chain, or there are more than 30, a block that follows itself is
drawn once. If these are more than 60, each sequence of blocks is drawn once, and wherever it comes
again is a box with its letter. Long edges, such as those of a dense block, do not hold a block
together if there would be too many boxes otherwise. If there are still too many, the drawing is an
overview of operations by layer. The work for a drawing is bounded for every graph.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.ragged import depths
from pyg_nas.io.text import counted, printable
from pyg_nas.spaces.modules.space import NETWORKS
from pyg_nas.visualization.drawing import FONT_SIZE, Box, Drawing, Words, figure, svg
from pyg_nas.visualization.files import check_picture_format, save_figure
from pyg_nas.visualization.layout import BOX_HEIGHT, Edges, Layout, fits, layered_layout
from pyg_nas.visualization.repeats import Folded, fold_repeats

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell
    from pyg_nas.graphs.search_space import SearchSpace
    from pyg_nas.spaces.modules.network_array import NetworkArray

# Okabe and Ito's colours, which differ for every common form of colour blindness; the label in
# the box has the same information.
OPERATION_COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#8C8C8C",
)
TERMINAL_COLOUR = "#D9D9D9"
BLOCK_COLOUR = "#595959"

MOST_VERTICES = 30
"""Largest number of vertices that are drawn as one box each."""

_MOST_BOXES, _MOST_WITH_LETTERS, _MOST_AT_LAST = 60, 110, 150
# How a large graph is folded, the first that has few enough boxes: these at most, whether what
# comes again elsewhere is folded too, and the longest edges that hold a block together. Parallel
# branches, as of HRNet and CoaT, need most.
_FOLDINGS = (
    (_MOST_BOXES, False, None),
    (_MOST_WITH_LETTERS, True, None),
    (_MOST_WITH_LETTERS, True, 32),
    (_MOST_WITH_LETTERS, True, 6),
    (_MOST_AT_LAST, True, 8),
)
_LONGEST_LABEL = 24
# The overview of a graph that is too large: bars of layers, and a legend of operations.
_BARS, _BAR_HEIGHT, _BAR_WIDTH = 40, 8.0, 260.0
_MOST_IN_LEGEND = 7
_LINE_HEIGHT, _MARGIN = 20.0, 10.0


def operation_label(name: str, space: SearchSpace) -> str:
    """Return the label of an operation's box: the space's label or the name, shortened."""
    return short_label(space.support.drawing_labels.get(name, name))


def short_label(text: str) -> str:
    """Return a text that fits a box, cut to 24 letters."""
    label = printable(text)
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def operation_colour(operation_id: int, space: SearchSpace) -> str:
    """Return the box colour of an operation id as ``#RRGGBB``: the space's, or one of eight."""
    if operation_id < 0:
        return TERMINAL_COLOUR
    (name,) = space.decode([operation_id])
    next_of_palette = OPERATION_COLOURS[operation_id % len(OPERATION_COLOURS)]
    return space.support.drawing_colours.get(name, next_of_palette)


def text_colour(background: str) -> str:
    """Return black or white, whichever contrasts more with ``#RRGGBB`` (WCAG 2 luminance)."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (int(background[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#111111" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#FFFFFF"


def cell_drawing(cell: Cell, box_width: float | None = None) -> Drawing:
    """Return the drawing of a cell.

    Args:
        cell: The cell, of any space and size.
        box_width: Width of the boxes in pixels; by default that of its longest label.
    """
    operations = cell.operation_ids.astype(np.int64)
    return graph_drawing(operations, cell.edge_index.T, cell.space, box_width)


def graph_drawing(
    operations: NDArray[np.int64],
    edges: Edges,
    space: SearchSpace,
    box_width: float | None = None,
) -> Drawing:
    """Return the drawing of a graph.

    Args:
        operations: Operation ids ``[V]``.
        edges: Pairs (source, target) ``[E, 2]`` sorted by source; every edge runs to a later
            vertex.
        box_width: Width of the boxes in pixels; by default that of the longest label.
    """
    left, groups = _grouped(operations, edges)
    count = int(groups.max()) + 1
    between = _edges_between(groups, left.edges, count)
    if count > _MOST_AT_LAST or not fits(count, between):
        return _overview(operations, edges, space)
    members: list[list[int]] = [[] for _ in range(count)]
    for vertex, group in enumerate(groups.tolist()):
        members[group].append(vertex)
    labels = [_group_label(left, group, space) for group in members]
    colours = [_group_colour(left, group, space) for group in members]
    layout = layered_layout(count, between, box_width or fitting_width(labels))
    width, bars, words = _letters(left, members, layout)
    return Drawing(
        width,
        layout.height,
        _description(operations, edges, space),
        tuple(
            Box(centre, layout.box_width, BOX_HEIGHT, colour, label, text_colour(colour))
            for centre, colour, label in zip(layout.centres, colours, labels, strict=True)
        )
        + bars,
        tuple(layout.routes.values()),
        words,
    )


def network_drawing(networks: NetworkArray, row: int) -> Drawing:
    """Return the drawing of a whole network, with its repeated blocks folded."""
    vertices = slice(*networks.vertex_ptr[row : row + 2].tolist())
    edges = networks.edges[:, slice(*networks.edge_ptr[row : row + 2].tolist())].T
    # Columns begin with the terminals, whose ids are below 0.
    operations = networks.columns[vertices].astype(np.int64) + NETWORKS.first_id
    return graph_drawing(operations, edges[np.lexsort((edges[:, 1], edges[:, 0]))], NETWORKS)


def fitting_width(labels: list[str]) -> float:
    """Return the width in pixels of boxes for the longest of these labels."""
    return max(64.0, 18.0 + 0.6 * FONT_SIZE * max(map(len, labels)))


def cell_svg(cell: Cell) -> str:
    """Return a self-contained ``<svg>`` element for an HTML page, light or dark."""
    return svg(cell_drawing(cell))


def draw_cell(cell: Cell, path: str | os.PathLike[str]) -> None:
    """Draw a cell into a file: boxes with operation names, arrows from top to bottom.

    Args:
        cell: The cell, of any space.
        path: The picture; its ending determines the format, SVG, PNG or PDF.

    Raises:
        SettingsError: If the ending is none of these.
    """
    check_picture_format(path)
    save_figure(figure(cell_drawing(cell)), path)


def _grouped(operations: NDArray[np.int64], edges: Edges) -> tuple[Folded, NDArray[np.int64]]:
    """Return what is left of a graph ``[V]``, and the number of each vertex's box ``[V]``."""
    size = len(operations)
    unmarked = np.full(size, -1, dtype=np.int64)
    left = Folded(operations, edges, np.ones(size, dtype=np.int64), *[unmarked] * 3)
    if size <= MOST_VERTICES:
        return left, np.arange(size)
    groups = _chains(left)
    if not 1 <= groups.max() < MOST_VERTICES:
        longest = int((edges[:, 1] - edges[:, 0]).max(initial=0))
        for most, once, reach in _FOLDINGS:
            if reach is not None and reach >= longest:
                continue
            left = fold_repeats(operations, edges, once=once, reach=reach)
            groups = _chains(left)
            count = int(groups.max()) + 1
            if count <= most and fits(count, _edges_between(groups, left.edges, count)):
                break
    return left, groups


def _chains(graph: Folded) -> NDArray[np.int64]:
    """Number the chains of a graph: each vertex's chain ``[V]``, in the order of their starts.

    All vertices of a chain are repeated together, are of one block or stand for blocks.
    """
    size, edges = len(graph.operations), graph.edges
    kinds = np.stack([graph.run, graph.first, graph.again >= 0], axis=1)
    entering = np.bincount(edges[:, 1], minlength=size)
    leaving = np.bincount(edges[:, 0], minlength=size)
    source, target = edges.T
    alone = (leaving[source] == 1) & (entering[target] == 1)
    inside = edges[alone & (kinds[source] == kinds[target]).all(axis=1)]
    before = np.full(size, -1, dtype=np.int64)
    before[inside[:, 1]] = inside[:, 0]
    groups = np.empty(size, dtype=np.int64)
    count = 0
    for vertex, previous in enumerate(before.tolist()):
        if previous < 0:
            groups[vertex] = count
            count += 1
        else:
            groups[vertex] = groups[previous]
    return groups


def _edges_between(groups: NDArray[np.int64], edges: Edges, count: int) -> Edges:
    """Return the edges between ``count`` groups, each once, sorted by source."""
    source, target = groups[edges].T
    pairs = np.unique((source * count + target)[source != target])
    return np.stack(np.divmod(pairs, count), axis=1)


def _letters(
    graph: Folded, members: list[list[int]], layout: Layout
) -> tuple[float, tuple[Box, ...], tuple[Words, ...]]:
    """Return the width of a drawing with bars and letters beside the blocks that come again."""
    bars, words = [], []
    block_of = graph.first[[group[0] for group in members]]
    for block in range(int(graph.first.max()) + 1):
        ys = [layout.centres[box][1] for box in np.flatnonzero(block_of == block).tolist()]
        middle, height = (min(ys) + max(ys)) / 2, max(ys) - min(ys) + BOX_HEIGHT
        bars.append(Box((layout.width + _MARGIN, middle), 3, height, OPERATION_COLOURS[-1]))
        words.append(Words((layout.width + 2 * _MARGIN, middle), f"block {_letter(block)}"))
    longest = max((len(word.text) for word in words), default=0)
    width = 3 * _MARGIN + 0.6 * FONT_SIZE * longest if words else 0.0
    return layout.width + width, tuple(bars), tuple(words)


def _letter(block: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    before, last = divmod(block, 26)
    return (_letter(before - 1) if before else "") + chr(ord("A") + last)


def _group_label(graph: Folded, vertices: list[int], space: SearchSpace) -> str:
    """Return the label of a box: its operations or blocks, and how many times they occur."""
    times = int(graph.times[vertices[0]])
    blocks = [_letter(block) for block in graph.again[vertices].tolist() if block >= 0]
    if blocks:
        label = f"block{'s' * (len(blocks) > 1)} {short_label(', '.join(blocks))}"
    else:
        label = _operations_label(graph.operations[vertices].tolist(), space)
    return label + (f" [×{times}]" if times > 1 else "")


def _group_colour(graph: Folded, vertices: list[int], space: SearchSpace) -> str:
    """Return the colour of the most frequent operation, or that of boxes that stand for blocks."""
    if graph.again[vertices[0]] >= 0:
        return BLOCK_COLOUR
    ((most, _),) = Counter(graph.operations[vertices].tolist()).most_common(1)
    return operation_colour(most, space)


def _operations_label(operations: list[int], space: SearchSpace) -> str:
    first, last = (operation_label(space.decode([operations[k]])[0], space) for k in (0, -1))
    if len(operations) == 1:
        return first
    if len(set(operations)) == 1:
        return f"{len(operations)} × {first}"
    return f"{first} → {last}" if len(operations) == 2 else f"{first} … {last} ({len(operations)})"


def _description(operations: NDArray[np.int64], edges: Edges, space: SearchSpace) -> str:
    size = len(operations)
    if size <= MOST_VERTICES:
        arrows = " ".join(f"{u}>{v}" for u, v in edges.tolist())
        return f"{', '.join(map(printable, space.decode(operations)))}; {arrows}"
    most = [f"{count:,} {label}" for _, label, count in _counts(operations, space)]
    return f"{_sizes(size, len(edges))}: {', '.join(most)}"


def _counts(operations: NDArray[np.int64], space: SearchSpace) -> list[tuple[int, str, int]]:
    """Return the most frequent operations: id, label and number of vertices."""
    found = Counter(operations.tolist()).most_common(_MOST_IN_LEGEND)
    return [(id_, operation_label(space.decode([id_])[0], space), count) for id_, count in found]


def _overview(operations: NDArray[np.int64], edges: Edges, space: SearchSpace) -> Drawing:
    """Return bars for the layers, from the input on: numbers of vertices by operation."""
    depth = np.array(depths(edges.tolist(), len(operations)))
    layers = int(depth.max()) + 1
    bars = min(layers, _BARS)
    bar_of = depth * bars // layers
    legend = _counts(operations, space)
    kinds = [id_ for id_, _, _ in legend]
    # [bars, kinds + 1]: the last column is every operation that the legend leaves out.
    kind_of = np.full(len(operations), len(kinds), dtype=np.int64)
    for k, id_ in enumerate(kinds):
        kind_of[operations == id_] = k
    counts = np.zeros((bars, len(kinds) + 1), dtype=np.int64)
    np.add.at(counts, (bar_of, kind_of), 1)
    scale = _BAR_WIDTH / counts.sum(axis=1).max()
    colours = [*OPERATION_COLOURS[: len(kinds)], TERMINAL_COLOUR]  # by rank: all differ
    top = _MARGIN + _LINE_HEIGHT
    boxes = []
    for row, in_bar in enumerate(counts.tolist()):
        left = _MARGIN
        for colour, count in zip(colours, in_bar, strict=True):
            width = count * scale
            if count:
                centre = (left + width / 2, top + (row + 0.5) * (_BAR_HEIGHT + 1))
                boxes.append(Box(centre, width, _BAR_HEIGHT, colour))
            left += width
    lines = [f"{label}: {count:,}" for _, label, count in legend]
    others = int(counts[:, -1].sum())
    lines += [f"others: {others:,}"] if others else []
    x = _MARGIN + _BAR_WIDTH + 24
    sizes = f"{_sizes(len(operations), len(edges))}, longest path {layers - 1:,}"
    words = [Words((_MARGIN, _MARGIN + _LINE_HEIGHT / 2 - 3), sizes)]
    for k, (line, colour) in enumerate(zip(lines, colours, strict=False)):
        y = top + (k + 0.5) * _LINE_HEIGHT
        boxes.append(Box((x, y), 12, 12, colour))
        words.append(Words((x + 14, y), line))
    height = max(bars * (_BAR_HEIGHT + 1), len(lines) * _LINE_HEIGHT)
    width = x + 14 + 0.6 * FONT_SIZE * max(map(len, lines)) + _MARGIN
    width = max(width, 2 * _MARGIN + 0.55 * FONT_SIZE * len(sizes))
    return Drawing(
        width,
        top + height + _MARGIN,
        _description(operations, edges, space),
        tuple(boxes),
        words=tuple(words),
    )


def _sizes(vertices: int, edges: int) -> str:
    return f"{counted(vertices, 'vertex', 'vertices')}, {counted(edges, 'edge')}"
