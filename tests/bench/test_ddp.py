"""Options of DDP as one text: checked, spelled in one way, and handed on."""

import pytest

from bench import ddp


def test_options_have_one_spelling():
    assert ddp.canonical(" static_graph , bucket_cap_mb=50.0,find_unused_parameters=Yes") == (
        "bucket_cap_mb=50,find_unused_parameters=true,static_graph=true"
    )
    assert ddp.canonical("") == ""


def test_what_is_not_said_is_ours_and_torchs():
    assert ddp.options("") == {"gradient_as_bucket_view": True}
    assert ddp.options("gradient_as_bucket_view=false,bucket_cap_mb=0.5") == {
        "gradient_as_bucket_view": False,
        "bucket_cap_mb": 0.5,
    }


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("find_unsed_parameters=true", "did you mean find_unused_parameters?"),
        ("process_group=x", "has no option 'process_group': broadcast_buffers, bucket_cap_mb"),
        ("static_graph=maybe", "should say static_graph=true or static_graph=false"),
        ("bucket_cap_mb=0", "a number of MB above 0"),
        ("bucket_cap_mb", "a number of MB above 0"),
        ("bucket_cap_mb=nan", "a number of MB above 0"),
        ("static_graph,static_graph=false", "names static_graph twice"),
    ],
)
def test_what_is_no_option_is_refused_with_what_is_meant(text, part):
    with pytest.raises(ValueError, match=r"^(has|should|names)") as caught:
        ddp.canonical(text)
    assert part in str(caught.value)
