"""Which layers are called dead or exploding, and how the rest is summed up."""

import math

from bench.analysis.learning.anatomy import summary
from bench.store.schema import Layer
from reports.learning import anatomy as report


def looks(*norms: float, position: int = 0, zeros: float = 0.0, **changes) -> list[Layer]:
    whole = {
        "layer": f"layer{position}",
        "kind": "conv",
        "params": 4,
        "macs": 30,
        "weight_norm": 2.0,
        "update_norm": 0.1,
    }
    return [
        Layer(
            study_id="s",
            launch_id="l",
            epoch=0,
            step=number * 100,
            position=position,
            gradient_norm=norm,
            gradient_zeros=zeros,
            **{**whole, **changes},
        )
        for number, norm in enumerate(norms)
    ]


def findings(*rows: Layer) -> tuple[str, ...]:
    return summary(rows).layers[0].findings


def test_a_layer_that_learns_is_well():
    assert findings(*looks(1.0, 2.0, 0.5, 3.0)) == ()


def test_a_layer_without_a_gradient_is_dead_and_one_of_mostly_zeros_mostly():
    assert findings(*looks(0.0, 0.0)) == ("dead: its gradient is zero at every step that was looked at",)
    assert findings(*looks(0.0, 0.1, zeros=0.95)) == ("mostly dead: 95% of its gradient is exactly zero",)


def test_a_gradient_that_is_not_finite_or_grows_suddenly_explodes():
    assert findings(*looks(1.0, math.nan)) == ("exploding: its gradient is not finite at step 100",)
    (grew,) = findings(*looks(1.0, 1.0, 1.0, 500.0))
    assert grew == "exploding: at step 300 its gradient is 500 times its median before"
    assert findings(*looks(1.0, 500.0)) == (), "two looks say nothing"


def test_totals_are_of_all_layers_and_the_whole_gradient_of_each_step():
    rows = [
        *looks(3.0, 6.0),
        *looks(4.0, 8.0, position=1),
        *looks(None, None, position=2, params=0, macs=40, kind="pool", weight_norm=None, update_norm=None),
    ]
    found = summary(rows)
    assert (found.macs, found.flop, found.params, found.looks) == (100, 200, 8, 2)
    assert [each.share for each in found.layers] == [0.3, 0.3, 0.4]
    assert (found.gradient_mean, found.gradient_largest) == (7.5, 10.0)
    assert [each.gradient_mean for each in found.layers] == [4.5, 6.0, None]
    assert found.layers[0].update_mean == 0.05


def test_the_table_has_a_line_for_each_layer_and_says_what_is_ill():
    lines = report.lines(summary([*looks(0.0), *looks(1.0, position=1, macs=1_000_000)]))
    assert lines[0].split() == [
        "layer",
        "kind",
        "params",
        "MAC",
        "share",
        "grad",
        "mean",
        "grad",
        "max",
        "update/weight",
    ]
    assert lines[1].endswith("dead: its gradient is zero at every step that was looked at")
    assert "1 000 030 MAC and 2 000 060 FLOP a sample and forward pass, 8 parameters" in lines
    assert lines[-1] == "gradient of all layers: 1 on average, 1 at most, over 1 step"
