"""The README's picture shows what the quickstart trains on today."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from docs import pictures

SIDE = 8  # pixels of a block
# Largest difference of a block's mean, of 1. Moved by one pixel, drawn with another font or with smooth images, the
# picture stays below 0.13; another title makes it 0.3, another image 0.5.
LARGEST = 0.2


def blocks(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over blocks of SIDE x SIDE pixels of red, green and blue, in [0, 1]."""
    height, width = (n // SIDE * SIDE for n in picture.shape[:2])
    cut = picture[:height, :width, :3]
    return cut.reshape(height // SIDE, SIDE, width // SIDE, SIDE, 3).mean((1, 3))


def drawn(figure: Figure) -> NDArray[np.float32]:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    file.seek(0)
    return imread(file)


def differs(figure: Figure) -> bool:
    """Whether the figure shows something else than the file."""
    ours, stored = drawn(figure), imread(pictures.FILE)
    return ours.shape != stored.shape or bool(np.abs(blocks(ours) - blocks(stored)).max() > LARGEST)


def test_the_picture_is_what_the_quickstart_gives_today_or_run_docs_pictures_again() -> None:
    assert not differs(pictures.quickstart())


@pytest.mark.parametrize("what", ["an image", "a title"])
def test_a_picture_with_one_other_image_or_title_would_be_noticed(what: str) -> None:
    figure = pictures.quickstart()
    axes = figure.axes
    if what == "an image":
        axes[23].images[0].set_data(axes[24].images[0].get_array())
    else:
        axes[3].set_title("moon")
    assert differs(figure)


def test_a_picture_drawn_by_another_version_of_the_library_would_not() -> None:
    figure = pictures.quickstart()
    for axes in figure.axes:
        axes.images[0].set_interpolation("bilinear")
        axes.title.set_fontsize(9.15)
    assert not differs(figure)
