"""Random views of an image: batched on the device, every parameter drawn by counter.

`crop_boxes` and `parameters` say what happens to each image, from (seed, epoch, image, view) alone. There are two ways
to make it happen, with the same views: `apply` draws on the CPU and launches an operation for the images that it
concerns; `on_device`, with the passes of `planes`, draws where the images are and asks nothing of the host, so that a
CUDA graph can hold it. `files` holds the two operations on single decoded images, for data sets that don't fit in
memory. The operations and their meaning are torchvision's (`RandomResizedCrop`, `ColorJitter`, `RandomGrayscale`,
`GaussianBlur`, `RandomSolarize`, on float tensors).
"""
