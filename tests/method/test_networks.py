"""The networks of the papers' small-data recipe, and their other widths, norms and stems. Fact 33."""

import pytest
import torch
import torchvision
from torch import nn

from dcp.errors import RequestError
from dcp.method import backbones, networks
from dcp.method.moments import own
from dcp.method.predictors import directcopy, linear
from dcp.recipe.sections import Projector


def shapes(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in net.state_dict().items()}


def resnet(name: str = "resnet18", *, stem="imagenet", width=64, norm="batch") -> tuple[nn.Module, int]:
    return backbones.backbone(name, stem=stem, width=width, norm=norm, image_size=32)


def projector(features: int = 512, **keys: object) -> nn.Sequential:
    config = Projector(**keys)
    return networks.projector(features, **config.model_dump())


def test_the_projector_has_two_layers_with_bias_and_512_then_128_outputs():
    """Fact 33."""
    found = {name: tuple(p.shape) for name, p in projector().named_parameters()}
    assert found == {"0.weight": (512, 512), "0.bias": (512,), "3.weight": (128, 512), "3.bias": (128,)}


def test_the_projector_has_batch_norm_without_affine_weights_and_then_a_relu():
    """Fact 33."""
    assert [type(layer) for layer in projector()] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]
    assert not projector()[1].affine


def test_the_predictor_has_no_bias():
    """Fact 33."""
    assert not list(directcopy.build(directcopy.Config(), 128, own).parameters())
    found = {name: tuple(p.shape) for name, p in linear.build(linear.Config(), 128, own).named_parameters()}
    assert found == {"layer.weight": (128, 128)}


def test_simsiams_projector_has_three_layers_and_a_last_norm_without_weights():
    net = projector(hidden=32, out=16, layers=3, affine=True, out_norm=True)
    kinds = [nn.Linear, nn.BatchNorm1d, nn.ReLU] * 2 + [nn.Linear, nn.BatchNorm1d]
    assert [type(layer) for layer in net] == kinds
    assert [layer.affine for layer in net if isinstance(layer, nn.BatchNorm1d)] == [True, True, False]


def test_the_small_stem_is_3x3_with_stride_1_and_no_pool():
    """Fact 33: 32-pixel images keep their size up to the first stage."""
    net, _ = resnet(stem="small")
    conv = net.conv1
    assert (conv.kernel_size, conv.stride, conv.padding, conv.bias) == ((3, 3), (1, 1), (1, 1), None)
    assert isinstance(net.maxpool, nn.Identity)
    assert net.conv1(torch.zeros(1, 3, 32, 32)).shape == (1, 64, 32, 32)


def test_the_small_stem_with_stride_2_halves_the_map():
    net, _ = resnet(stem="small-stride2", width=8)
    assert isinstance(net.maxpool, nn.Identity)
    assert net.conv1(torch.zeros(1, 3, 32, 32)).shape == (1, 8, 16, 16)


def test_resnet10_has_a_block_a_stage():
    net, features = resnet("resnet10", width=16)
    assert [len(stage) for stage in (net.layer1, net.layer2, net.layer3, net.layer4)] == [1, 1, 1, 1]
    assert features == 128
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 128)


def test_the_padded_small_stem_makes_34_pixels_of_32():
    net, _ = resnet(stem="cifar-pad2", width=8)
    assert net.conv1(torch.zeros(1, 3, 32, 32)).shape == (1, 8, 34, 34)


def test_the_imagenet_stem_is_torchvisions():
    net, _ = resnet()
    conv = net.conv1
    assert (conv.kernel_size, conv.stride, conv.padding, conv.bias) == ((7, 7), (2, 2), (3, 3), None)
    assert isinstance(net.maxpool, nn.MaxPool2d)


@pytest.mark.parametrize("name", sorted(set(backbones.RESNETS) - {"resnet10"}))
def test_width_64_has_exactly_torchvisions_keys_and_shapes_without_the_classifier(name: str):
    with torch.device("meta"):  # shapes without memory
        ours, features = resnet(name)
        theirs = torchvision.models.get_model(name, weights=None)
    expected = {key: shape for key, shape in shapes(theirs).items() if not key.startswith("fc.")}
    assert shapes(ours) == expected
    assert list(ours.state_dict()) == list(expected)
    assert features == theirs.fc.in_features


def test_torchvisions_weights_give_torchvisions_features():
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(weights=None)
    ours, _ = resnet()
    ours.load_state_dict({key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")})
    theirs.fc = nn.Identity()
    x = torch.randn(2, 3, 64, 64)  # of the seed above
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


def test_the_stem_is_initialised_as_torchvisions():
    """He et al. 2015, fan out: deviation √(2 / (64 · 9)) for the small stem."""
    torch.manual_seed(0)
    net, _ = resnet(stem="small")
    assert net.conv1.weight.std().item() == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)


def test_width_16_has_a_quarter_of_every_channel_count():
    net, features = resnet(width=16)
    full, _ = resnet()

    def channels(net: nn.Module) -> list[int]:
        return [m.out_channels for m in net.modules() if isinstance(m, nn.Conv2d)]

    assert channels(net) == [count // 4 for count in channels(full)]
    stages = (net.layer1, net.layer2, net.layer3, net.layer4)
    assert [stage[-1].conv2.out_channels for stage in stages] == [16, 32, 64, 128]
    assert features == 128
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 128)


def test_a_narrow_bottleneck_network_has_four_times_the_features():
    net, features = resnet("resnet50", width=8)
    assert features == 256
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 256)


def test_with_group_norm_there_is_no_batch_norm_and_images_do_not_see_each_other():
    torch.manual_seed(0)
    net, _ = resnet(norm="group", width=12, stem="small")
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules())
    assert sum(isinstance(m, nn.GroupNorm) for m in net.modules()) == 20
    x = torch.randn(3, 3, 16, 16)
    assert torch.allclose(net(x)[:1], net(x[:1]), atol=1e-5)


def test_a_branch_is_the_projector_of_the_backbone():
    backbone, head = nn.Flatten(), nn.Linear(12, 2)
    x = torch.arange(36.0).view(3, 3, 2, 2)
    assert torch.equal(networks.Branch(backbone, head)(x), head(backbone(x)))


def test_other_networks_of_torchvision_lose_their_classifier():
    net, features = resnet("torchvision/mobilenet_v3_small")
    assert net.training
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, features)


def test_an_unknown_network_is_refused_with_a_near_name():
    with pytest.raises(RequestError) as error:
        resnet("resnet19")
    assert "resnet" in str(error.value.hint)


def test_a_width_is_refused_for_a_network_that_has_none():
    with pytest.raises(RequestError, match="width"):
        resnet("torchvision/mobilenet_v3_small", width=16)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("torchvision/convnext_tiny", 64),
        ("torchvision/squeezenet1_1", 96),
        ("torchvision/vit_b_16", 32),
        ("mobilenetv3_small_050", 64),
        ("vit_tiny_patch16_224", 32),
    ],
)
def test_any_backbone_says_rightly_how_many_features_it_gives(name: str, size: int):
    net, features = backbones.backbone(name, stem="imagenet", width=64, norm="batch", image_size=size)
    assert net(torch.zeros(2, 3, size, size)).shape == (2, features)


@pytest.mark.parametrize(("name", "size"), [("torchvision/alexnet", 32), ("torchvision/googlenet", 64)])
def test_a_backbone_that_does_not_fit_is_refused_in_words(name: str, size: int):
    with pytest.raises(RequestError, match="backbone") as caught:
        backbones.backbone(name, stem="imagenet", width=64, norm="batch", image_size=size)
    assert caught.value.slug == "bad-network"


@pytest.mark.parametrize("name", ["torchvision/convnext_tiny", "mobilenetv3_small_050", "vit_tiny_patch16_224"])
def test_a_backbone_takes_local_views_of_another_size(name: str):
    options = {"stem": "imagenet", "width": 64, "norm": "batch", "image_size": 64}
    net, features = backbones.backbone(name, **options, local_size=32)
    assert net(torch.zeros(2, 3, 32, 32)).shape == net(torch.zeros(2, 3, 64, 64)).shape == (2, features)
    plain, _ = backbones.backbone(name, **options)
    assert {key: x.shape for key, x in plain.state_dict().items()} == {k: x.shape for k, x in net.state_dict().items()}


@pytest.mark.parametrize(("name", "size"), [("torchvision/vit_b_16", 16), ("vit_tiny_patch16_224", 40)])
def test_a_backbone_that_cannot_take_local_views_is_refused_with_the_key(name: str, size: int):
    with pytest.raises(RequestError, match=f"cannot take images of {size} pixels") as caught:
        backbones.backbone(name, stem="imagenet", width=64, norm="batch", image_size=32, local_size=size)
    assert caught.value.slug == "bad-network"
    assert caught.value.hint.startswith("choose another views.local.size")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("resnet81", "did you mean resnet18, resnet10, resnet61q?"),
        ("ResNet-18", "did you mean resnet18, resnet18d, "),
        ("googlenet", "did you mean torchvision/googlenet?"),
        ("timm/vit_b_16", "did you mean torchvision/vit_b_16, "),
        ("torchvision/googlenet", "take one without them: timm/inception_v3, "),
        ("torchvision/alexnet", "choose another data.image_size, or another model: resnet18"),
    ],
)
def test_the_refusal_of_a_backbone_says_what_would_help_and_no_name_twice(name: str, hint: str):
    with pytest.raises(RequestError) as caught:
        backbones.backbone(name, stem="imagenet", width=64, norm="batch", image_size=32)
    assert caught.value.hint.startswith(hint)
    names = caught.value.hint.partition("?")[0].removeprefix("did you mean ").split(", ")
    assert len(names) == len(set(names))


def test_a_small_init_scale_starts_all_projections_at_the_bias_and_one_changes_no_bit():
    drawn = []
    for scale in (1.0, 1e-4):
        torch.manual_seed(0)
        drawn.append(projector(64, hidden=32, out=16, init_scale=scale))
    whole, small = drawn
    assert torch.equal(small[-1].weight, whole[-1].weight * 1e-4)
    assert torch.equal(small[-1].bias, whole[-1].bias)
    torch.manual_seed(0)
    plain = [nn.Linear(64, 32), nn.Linear(32, 16)]
    assert torch.equal(whole[-1].weight, plain[-1].weight)
    z = small(torch.randn(256, 64))
    assert z.std(0).max() < 1e-3 * z.norm(dim=1).mean()
