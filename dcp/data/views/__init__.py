"""Two random views of an image: batched on the device, every parameter drawn by counter.

`crop_boxes` and `parameters` say what happens to each image, on the CPU, from (seed, epoch, image, view) alone; `apply`
makes it happen, on the device, a batch at a time; `files` holds the two operations on single decoded images,
for data sets that don't fit in memory. The operations and their meaning are torchvision's
(`RandomResizedCrop`, `ColorJitter`, `RandomGrayscale`, `GaussianBlur`, `RandomSolarize`, on float tensors).
"""
