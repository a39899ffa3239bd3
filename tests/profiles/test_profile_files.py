"""Every profile that ships is whole and says what it is for."""

import pytest

import profiles
from bench.learn.catalogue import check_data, check_model
from bench.settings import resolve


@pytest.mark.parametrize("name", profiles.names())
def test_a_profile_resolves_names_what_exists_and_describes_itself(name, tmp_path):
    settings = resolve({}, {}, tmp_path, name, user_file=tmp_path / "none.toml")
    check_model(settings.model.name)
    check_data(settings.data.name)
    assert 20 < len(settings.description) < 120


def test_the_known_answers_are_arithmetic(tmp_path):
    settings = resolve({}, {}, tmp_path, "known-answer", user_file=tmp_path / "none.toml")
    rate_sps = settings.scale.batch / (settings.model.options["sleep_ms"] / 1e3)
    for each in settings.published:
        expected = each.ranks * (rate_sps if each.metric == "throughput" else 1)
        assert each.value == pytest.approx(expected)


def test_an_unknown_profile_is_a_lookup_error():
    with pytest.raises(LookupError, match="nothing-of-the-kind"):
        profiles.read("nothing-of-the-kind")
