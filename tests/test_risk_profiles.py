"""config/risk.toml: three profiles, below every other source of settings but the defaults."""

from pathlib import Path

import pytest

from binance_trade_agent.configuration import PROFILES, ConfigError, load
from binance_trade_agent.settings import Settings

CONFIG = Path(__file__).parents[1] / "config"
PROFILE_NAMES = ("conservative", "balanced", "aggressive")
LIMITS = {name for name in Settings.model_fields if name.startswith("risk_")} - {"risk_profile"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / PROFILES).write_text((CONFIG / PROFILES).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def loaded(folder, **environment):
    return load(environment=environment, folder=folder)


@pytest.mark.parametrize("profile", PROFILE_NAMES)
def test_a_profile_sets_every_limit(folder, profile):
    configuration = loaded(folder, RISK_PROFILE=profile)
    from_profile = {
        name.lower() for name, origin in configuration.origins.items() if origin.endswith(f"profile {profile}")
    }
    assert from_profile == LIMITS


def test_the_defaults_are_balanced(folder):
    balanced, default = loaded(folder, RISK_PROFILE="balanced").settings, loaded(folder).settings
    assert {name: getattr(balanced, name) for name in LIMITS} == {name: getattr(default, name) for name in LIMITS}


def test_each_profile_risks_more_than_the_one_before(folder):
    """Where a limit is a size, it grows; 0 as `no limit` is the largest."""
    sizes = [name for name in LIMITS if name.startswith("risk_max_")]
    tables = [loaded(folder, RISK_PROFILE=profile).settings for profile in PROFILE_NAMES]
    for name in sizes:
        values = [getattr(table, name) or float("inf") for table in tables]
        assert values == sorted(values), name


def test_every_line_is_explained():
    lines = [line for line in (CONFIG / PROFILES).read_text(encoding="utf-8").splitlines() if " = " in line]
    assert len(lines) == len(PROFILE_NAMES) * len(LIMITS)
    assert all("  # " in line or " # " in line for line in lines)


def test_every_other_source_wins_over_the_profile(folder):
    (folder / "config" / "mine.toml").write_text('[risk]\nprofile = "conservative"\nstop_loss_pct = "9"\n')
    configuration = load({"RISK_COOLDOWN_SECONDS": "7"}, environment={"RISK_MAX_DRAWDOWN_PCT": "8"}, folder=folder)
    settings = configuration.settings
    assert (settings.risk_stop_loss_pct, settings.risk_max_drawdown_pct, settings.risk_cooldown_seconds) == (9, 8, 7)
    assert settings.risk_max_open_positions == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[balanced]\nmax_drawdwn_pct = 5",
            "risk_max_drawdwn_pct in .* is not a setting; the nearest .*RISK_MAX_DRAWDOWN_PCT",
        ),
        ("[bold]\nstop_loss_pct = 5", r"RISK_PROFILE=balanced: .*risk.toml has no table \[balanced\]"),
        ("[balanced]\nprofile = 'aggressive'", "stands within a profile"),
        ("[balanced", "cannot be read"),
        ("[balanced]\nstop_loss_pct = 101", "RISK_STOP_LOSS_PCT=101 .*profile balanced.* is not allowed: .*below 100"),
    ],
)
def test_a_wrong_profile_is_one_sentence(folder, text, sentence):
    (folder / "config" / PROFILES).write_text(text)
    with pytest.raises(ConfigError, match=sentence) as refused:
        loaded(folder, RISK_PROFILE="balanced")
    assert "\n" not in str(refused.value)


def test_profiles_do_no_harm_while_none_is_chosen(folder):
    (folder / "config" / PROFILES).write_text("[balanced")
    assert loaded(folder).settings.risk_profile is None


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        ConfigError, match=r"RISK_PROFILE=balanced: .*risk.toml, which holds the profiles, is not there"
    ):
        loaded(tmp_path, RISK_PROFILE="Balanced")


def test_an_unknown_profile_brings_the_nearest(folder):
    with pytest.raises(ConfigError, match=r"RISK_PROFILE=agressive .* the nearest one is aggressive"):
        loaded(folder, RISK_PROFILE="agressive")
