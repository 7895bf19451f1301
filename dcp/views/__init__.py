"""Two random views of an image: batched on the device, every parameter drawn by counter.

`parameters` says what happens to each image, on the CPU, from (seed, epoch, image, view) alone; `apply`
makes it happen, on the device, a batch at a time; `files` holds the two operations on single decoded images,
for data sets that don't fit in memory. The operations and their meaning are torchvision's
(`RandomResizedCrop`, `ColorJitter`, `RandomGrayscale`, `GaussianBlur`, `RandomSolarize`, on float tensors).
"""

from dcp.views.apply import finish, normalize, two_views
from dcp.views.config import Config
from dcp.views.files import crop_file, resize_center
from dcp.views.parameters import Parameters, draw, draw_boxes

__all__ = [
    "Config",
    "Parameters",
    "crop_file",
    "draw",
    "draw_boxes",
    "finish",
    "normalize",
    "resize_center",
    "two_views",
]
