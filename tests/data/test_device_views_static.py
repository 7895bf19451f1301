"""Views made where the images are can live in a CUDA graph: no question to the host, nothing from it, few launches."""

import pytest
import torch
from test_device_views import CPU, STILL, device_views
from test_random_views import BYOL, CIFAR, CONFIGS, EVERYTHING, STL, photos
from torch._dynamo.testing import CompileCounterWithBackend
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Recorded(TorchDispatchMode):
    """Operations that do something, and those with a tensor that lies elsewhere than on the device."""

    def __init__(self, device):
        super().__init__()
        self.device, self.operations, self.elsewhere = device, [], []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if not function.is_view and name not in ("empty", "_unsafe_view"):
            self.operations.append(name)
        tensors = [x for x in tree_leaves((args, kwargs, result)) if isinstance(x, torch.Tensor)]
        if any(x.device != self.device for x in tensors):
            self.elsewhere.append(name)
        return result


@pytest.mark.parametrize("name", CONFIGS)
def test_on_a_gpu_no_value_is_asked_for_and_nothing_comes_from_the_cpu(name):
    with FakeTensorMode():  # tensors with a device and no values: whatever depends on one raises
        device = torch.device("cuda")
        views = device_views(CONFIGS[name], 32, device=device)
        images = torch.empty(9, 3, 40, 30, dtype=torch.uint8, device=device)
        crops = torch.empty(9, 2, 3, 32, 32, dtype=torch.uint8, device=device)
        index = torch.empty(9, dtype=torch.int64, device=device)
        with Recorded(index.device) as recorded:
            made = (*views.of_images(images, index), *views.of_crops(crops, index))
        assert recorded.operations
        assert recorded.elsewhere == []
        for view in made:
            assert view.device.type == "cuda"
            assert view.shape == (9, 3, 32, 32)


def test_a_number_from_the_cpu_would_be_noticed():
    with FakeTensorMode():
        x, y = torch.empty(3, device="cuda"), torch.tensor(1.0)
        with Recorded(x.device) as recorded:
            _ = x * 2
            _ = x + y
        assert recorded.elsewhere == ["add"]


def test_the_meta_device_will_do():
    images, index = photos(9, 40, 30).to("meta"), torch.arange(9, device="meta")
    for view in device_views(EVERYTHING, 32, device=torch.device("meta")).of_images(images, index):
        assert view.device.type == "meta"
        assert view.shape == (9, 3, 32, 32)


@pytest.mark.parametrize(
    ("config", "bound"), [(STILL, 85), (CIFAR, 155), (STL, 170), (BYOL, 175), (EVERYTHING, 175)], ids=str
)
def test_a_batch_takes_few_launches(config, bound):
    images, index, views = photos(4, 32, 32), torch.arange(4), device_views(config, 32)
    with Recorded(CPU) as recorded:
        views.of_images(images, index)
    assert 0.9 * bound < len(recorded.operations) <= bound


@pytest.mark.parametrize("name", CONFIGS)
def test_a_compiler_takes_it_whole_and_once_for_all_epochs(name):
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    images, index, views = photos(8, 40, 30), torch.arange(8), device_views(CONFIGS[name], 32)
    crops = photos(16, 32, 32).view(8, 2, 3, 32, 32)
    of_images, of_crops = (torch.compile(f, fullgraph=True, backend=counter) for f in (views.of_images, views.of_crops))
    for epoch in (2, 3):
        views.set_epoch(epoch)
        expected = (*views.of_images(images, index), *views.of_crops(crops, index))
        for view, eager in zip((*of_images(images, index), *of_crops(crops, index)), expected, strict=True):
            assert view.stride() == eager.stride()
            assert ((view - eager).abs() > 1e-4).double().mean() < 0.001  # but for the threshold of solarize
    assert counter.frame_count == 2
