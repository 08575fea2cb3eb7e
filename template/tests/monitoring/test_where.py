"""Corrections are trained on where data may go, and nowhere else."""

import pytest

from app.monitoring.settings import TuningSettings

HERE = "https://tuning.example.com/v1"


@pytest.mark.parametrize(
    ("wanted", "said", "url", "told"),
    [
        ("anywhere", "anywhere", "https://api.openai.com/v1", ""),
        ("eu", "anywhere", "", ""),  # Nothing is trained.
        ("eu", "anywhere", HERE, "MONITORING_TUNING_REGION must be eu"),
        ("eu", "us", HERE, "MONITORING_TUNING_REGION must be eu"),
        ("eu", "eu", HERE, ""),
        ("eu", "eu", "https://api.openai.com/v1", "api.openai.com is not in EU"),
        ("us", "us", "https://eu.api.openai.com/v1", "eu.api.openai.com is not in US"),
        ("eu", "eu", "https://eu.api.openai.com/v1", ""),
    ],
)
def test_production_does_not_train_where_data_must_not_go(configure, wanted, said, url, told):
    configure(LLM_REGION=wanted, MONITORING_TUNING_REGION=said, MONITORING_TUNING_BASE_URL=url)
    found = " ".join(TuningSettings.load().production_problems())
    assert told in found
    assert bool(found) == bool(told)
