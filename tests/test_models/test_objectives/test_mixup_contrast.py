import pytest

from mmwsss.models.objectives import MixupContrast


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(partner='same'), "`partner` to be 'other' or 'any', got 'same'"),
        (dict(temperature=0), '`temperature` to be above 0, got 0'),
        (dict(beta=-1.0), '`beta` to be above 0, got -1.0'),
        (dict(floor=0.0), '`floor` to be above 0, got 0.0'),
    ],
)
def test_options_without_a_meaning_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MixupContrast(**options)
