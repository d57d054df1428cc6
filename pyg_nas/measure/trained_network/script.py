"""The script that uses a trained network with torch alone."""

from __future__ import annotations

from collections.abc import Sequence

from pyg_nas.measure.trained_network.export import PT2

PREDICT = "predict.py"

_SCRIPT = '''\
"""{title} images: python predict.py {files}images.pt, a tensor {shape} of {unit}."""

import os
import sys
from pathlib import Path

import torch

{constants}network = torch.export.load(Path(__file__).with_name("{file}")).module()


def predict(images):
    """Return the {what} of each image of a tensor {shape}."""
    with torch.inference_mode():
        return {result}


{load}if __name__ == "__main__":
    if sys.argv[1:] in ([], ["-h"], ["--help"]):
        sys.exit(__doc__)
    for path in sys.argv[1:]:
        try:
            print(*predict({argument}), sep="\\n", flush=True)
        except BrokenPipeError:  # its reader has ended, as `| head` does
            os._exit(1)
        except Exception as error:
            sys.exit(f"{{path}}: {{error}}")
'''

_LOAD = '''\
def load(path):
    """Return a file as in training, [1, {channels}, {height}, {width}]; needs Pillow."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode == "F":
        raise ValueError("pixels are floating-point numbers, 8 or 16 bits are needed")
    if image.mode.startswith("I"):  # 16 bits a pixel
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    image = image.convert("{mode}")
    if image.size != ({width}, {height}):
        image = {resized}
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return pixels.view(1, {height}, {width}, {channels}).permute(0, 3, 1, 2)


'''
_RESIZED = {
    "pad": "ImageOps.pad(image, ({width}, {height}), Image.Resampling.BILINEAR)",
    "crop": "ImageOps.fit(image, ({width}, {height}), Image.Resampling.BILINEAR)",
    "stretch": "image.resize(({width}, {height}), Image.Resampling.BILINEAR)",
}


def predict_script(
    classes: Sequence[str], shape: Sequence[int], unit: str, fit: str | None = None
) -> str:
    """Return a Python script that classifies images with torch alone, or files with Pillow.

    Args:
        classes: Names of the labels; none where a number is predicted.
        shape: Shape of an image, ``(C, H, W)``.
        unit: Unit of a pixel.
        fit: How image files are resized to this shape; None where images are no files.
    """
    channels, height, width = shape
    load = ""
    if fit is not None:
        names = {"channels": channels, "height": height, "width": width}
        mode = "L" if channels == 1 else "RGB"
        load = _LOAD.format(mode=mode, resized=_RESIZED[fit].format(**names), **names)
    read = "torch.load(path, weights_only=True)"
    result = "[CLASSES[label] for label in network(images.float()).argmax(1).tolist()]"
    return _SCRIPT.format(
        title="Classes of" if classes else "Numbers for",
        shape=f"[B, {', '.join(map(str, shape))}]",
        unit=unit,
        constants=f"CLASSES = {list(classes)!a}\n" if classes else "",
        file=PT2,
        what="class" if classes else "number",
        result=result if classes else "network(images.float())[:, 0].tolist()",
        load=load,
        files="photo.jpg, or " if load else "",
        argument=f'{read} if path.endswith(".pt") else load(path)' if load else read,
    )
