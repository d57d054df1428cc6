"""Both renderers of a drawing show the same."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from matplotlib.patches import FancyBboxPatch, PathPatch

from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.visualization.cells import cell_drawing
from pyg_nas.visualization.drawing import Box, Drawing, Words, figure, svg
from pyg_nas.visualization.files import save_figure

SVG = "{http://www.w3.org/2000/svg}"


def test_boxes_labels_and_arrows_are_the_same_in_both() -> None:
    for cell in sample_cells(20, seed=3):
        drawing = cell_drawing(cell)
        root = ElementTree.fromstring(svg(drawing))
        (axes,) = figure(drawing).axes
        boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
        for element, patch in zip(root.iter(f"{SVG}rect"), boxes, strict=True):
            place = [float(element.attrib[key]) for key in ("x", "y", "width", "height")]
            drawn = [patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height()]
            np.testing.assert_allclose(place, drawn, atol=0.06)
        labels = [text.text for text in root.iter(f"{SVG}text")]
        assert labels == [text.get_text() for text in axes.texts]
        arrows = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
        assert len(arrows) == 2 * cell.num_edges


def test_labels_are_no_markup_and_no_formulas(tmp_path: Path) -> None:
    name = "<b>$\\frac{</b>"
    boxes = (Box((30, 20), 50, 26, "#FFFFFF", name),)
    drawing = Drawing(60, 40, name, boxes, words=(Words((5, 5), name),))
    root = ElementTree.fromstring(svg(drawing))
    assert [text.text for text in root.iter(f"{SVG}text")] == [name, name]
    save_figure(figure(drawing), tmp_path / "drawing.png")
