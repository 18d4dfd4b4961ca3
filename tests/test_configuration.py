"""Where settings come from, which place wins, and how mistakes are told."""

from pathlib import Path

import pytest

from binance_trade_agent.configuration import ConfigError, Configuration, load

KEY, SECRET = "a1" * 32, "b2" * 32


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path


def loaded(folder: Path, flags=None, *, dotenv: str = "", toml: str = "", **environment: str) -> Configuration:
    if dotenv:
        (folder / ".env").write_text(dotenv, encoding="utf-8")
    if toml:
        (folder / "config" / "trading.toml").write_text(toml, encoding="utf-8")
    return load(flags, environment=environment, folder=folder)


def refusal(folder: Path, *arguments, **options: str) -> str:
    with pytest.raises(ConfigError) as failure:
        loaded(folder, *arguments, **options)
    return str(failure.value)


def origin(configuration: Configuration, name: str) -> tuple[str, str]:
    return next((value, where) for row, value, where in configuration.rows() if row == name)


class TestPrecedence:
    PLACES = ("toml", "dotenv", "environment", "flag")

    @pytest.mark.parametrize("highest", range(1, 5))
    def test_flags_win_over_environment_over_dotenv_over_files(self, folder, highest):
        given = dict(zip(self.PLACES, ("11", "22", "33", "44"), strict=True))
        present = {place: value for place, value in given.items() if self.PLACES.index(place) < highest}
        configuration = loaded(
            folder,
            {"TRADING_INTERVAL_SECONDS": present.get("flag")},
            toml=f"[trading]\ninterval_seconds = {present['toml']}\n",
            dotenv=f"TRADING_INTERVAL_SECONDS={present['dotenv']}\n" if "dotenv" in present else "",
            **({"TRADING_INTERVAL_SECONDS": present["environment"]} if "environment" in present else {}),
        )
        place = self.PLACES[highest - 1]
        shown_origin = {
            "toml": str(folder / "config" / "trading.toml"),
            "dotenv": str(folder / ".env"),
        }.get(place, place)
        assert origin(configuration, "TRADING_INTERVAL_SECONDS") == (given[place], shown_origin)

    def test_without_anything_it_is_the_default(self, folder):
        assert origin(loaded(folder), "TRADING_INTERVAL_SECONDS") == ("120", "default")

    def test_empty_value_counts_as_not_set(self, folder):
        configuration = loaded(folder, dotenv="LOG_LEVEL=DEBUG\n", LOG_LEVEL="", BINANCE_API_KEY="  ")
        assert configuration.settings.log_level == "DEBUG"
        assert configuration.settings.mode == "simulated"

    def test_later_toml_file_wins_over_an_earlier_one(self, folder):
        (folder / "config" / "10-base.toml").write_text("log_level = 'DEBUG'\ntrading_instance = 'base'\n")
        (folder / "config" / "20-mine.toml").write_text("log_level = 'ERROR'\n")
        settings = loaded(folder).settings
        assert (settings.log_level, settings.trading_instance) == ("ERROR", "base")

    def test_alias_in_the_environment_wins_over_the_setting_in_dotenv(self, folder):
        configuration = loaded(
            folder, dotenv=f"BINANCE_API_SECRET={'c' * 64}\n", BINANCE_API_KEY=KEY, BINANCE_SECRET_KEY=SECRET
        )
        assert configuration.settings.binance_api_secret.get_secret_value() == SECRET


class TestToml:
    def test_tables_and_full_names_are_the_same_setting(self, folder):
        settings = loaded(
            folder,
            toml="""
            trading_symbols = ["ethusdt"]
            [trading]
            duration_minutes = 1.5
            [strategy]
            name = "rsi_momentum"
            params = { rsi_period = 10 }
            [risk.max]
            open_positions = 3
            [simulation]
            start = 2024-08-05T00:00:00Z
            balances = { USDT = 5000 }
            """,
        ).settings
        assert settings.trading_symbols == ("ETHUSDT",)
        assert str(settings.trading_duration_minutes) == "1.5"
        assert (settings.strategy_name, settings.strategy_params) == ("rsi_momentum", {"rsi_period": "10"})
        assert settings.risk_max_open_positions == 3
        assert settings.simulation_start == "2024-08-05T00:00:00+00:00"
        assert settings.simulation_balances == {"USDT": 5000}

    def test_unknown_name_is_refused_with_the_file_and_the_nearest(self, folder):
        text = refusal(folder, toml="[trading]\nsymbol = 'BTCUSDT'\n")
        assert text == (
            f"trading_symbol in {folder / 'config' / 'trading.toml'} is not a setting; "
            "the nearest valid name is TRADING_SYMBOLS."
        )

    def test_file_that_is_not_toml_is_named(self, folder):
        assert "trading.toml cannot be read" in refusal(folder, toml="[trading\n")

    def test_wrong_value_names_the_file(self, folder):
        text = refusal(folder, toml="[trading]\nsymbols = ['BTC/USDT']\n")
        assert text == (
            f"TRADING_SYMBOLS=BTC/USDT (in {folder / 'config' / 'trading.toml'}) is not allowed: "
            "it must be symbols separated by commas."
        )


class TestUnknownNames:
    @pytest.mark.parametrize(
        ("name", "near"),
        [
            ("TRADING_SYMBOL", "TRADING_SYMBOLS"),
            ("TRADING_INTERVAL", "TRADING_INTERVAL_SECONDS"),
            ("RISK_MAX_POSITIONS", "RISK_MAX_OPEN_POSITIONS"),
            ("STRATEGY_NAMES", "STRATEGY_NAME"),
            ("SIMULATION_SEDE", "SIMULATION_SEED"),
            ("BINANCE_TEST_NET", "BINANCE_TESTNET"),
            ("BINANCE_KEY", "BINANCE_API_KEY"),
            ("binance_testnet", "BINANCE_TESTNET"),
            ("Trading_Mode", "TRADING_MODE"),
        ],
    )
    def test_name_with_one_of_our_beginnings_is_refused_with_the_nearest(self, folder, name, near):
        assert refusal(folder, **{name: "x"}) == (
            f"{name} in the environment is not a setting; the nearest valid name is {near}."
        )

    def test_name_in_dotenv_is_refused_too(self, folder):
        assert "TRADING_SYMBOL in .env is not a setting" in refusal(folder, dotenv="TRADING_SYMBOL=BTCUSDT\n")

    def test_everybody_elses_variables_pass(self, folder):
        loaded(folder, dotenv="COMPOSE_PROJECT_NAME=x\n", PATH="/bin", TRADINGVIEW="1", LOGNAME="me", HOME="/root")


class TestDotenv:
    def test_quotes_comments_exports_and_dollars_are_read_as_written(self, folder):
        settings = loaded(
            folder,
            dotenv="# comment\nexport TRADING_SYMBOLS='btcusdt ethusdt'  # two\nTRADING_INSTANCE=\"two\"\nLEDGER_PATH=a$HOME.db\n",
        ).settings
        assert settings.trading_symbols == ("BTCUSDT", "ETHUSDT")
        assert (settings.trading_instance, settings.ledger_path) == ("two", Path("a$HOME.db"))

    def test_byte_order_mark_does_not_hide_the_first_setting(self, folder):
        assert loaded(folder, dotenv="\ufeffTRADING_INSTANCE=two\n").settings.trading_instance == "two"

    def test_file_that_is_not_text_is_refused(self, folder):
        (folder / ".env").write_bytes(b"\xff\xfe\x00binary")
        assert ".env cannot be read" in refusal(folder)


class TestSecrets:
    def test_keys_come_from_files(self, folder):
        (folder / "key").write_text(f"{KEY}\n")
        (folder / "secret").write_text(f"  {SECRET}\n\n")
        configuration = loaded(
            folder, BINANCE_API_KEY_FILE=str(folder / "key"), BINANCE_SECRET_KEY_FILE=f" {folder / 'secret'} "
        )
        assert configuration.settings.binance_api_key.get_secret_value() == KEY
        assert configuration.settings.binance_api_secret.get_secret_value() == SECRET
        assert configuration.settings.mode == "testnet"

    def test_address_of_redis_comes_from_a_file(self, folder):
        (folder / "redis").write_text("redis://:secret@127.0.0.1:1/0\n")
        configuration = loaded(folder, REDIS_URL_FILE=str(folder / "redis"))
        assert origin(configuration, "REDIS_URL") == ("redis://****@127.0.0.1:1/0", "environment")

    @pytest.mark.parametrize("name", ["BINANCE_API_KEY", "BINANCE_API_SECRET"])
    def test_empty_file_is_a_wrong_key_and_not_none(self, folder, name):
        (folder / "empty").write_text("\n")
        given = {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}
        del given[name]
        assert f"{name} has 0 characters" in refusal(folder, **given, **{f"{name}_FILE": str(folder / "empty")})

    def test_missing_file_is_named(self, folder):
        missing = folder / "nothing"
        assert refusal(folder, BINANCE_API_KEY_FILE=str(missing)) == (
            f"BINANCE_API_KEY_FILE={missing}: the file cannot be read (No such file or directory)."
        )

    def test_file_of_bytes_is_refused(self, folder):
        (folder / "key").write_bytes(b"\xff\xfe")
        assert "it is not text" in refusal(folder, BINANCE_API_KEY_FILE=str(folder / "key"))

    @pytest.mark.parametrize(
        "names",
        [
            ("BINANCE_API_SECRET", "BINANCE_SECRET_KEY"),
            ("BINANCE_SECRET_KEY", "BINANCE_API_SECRET_FILE"),
            ("BINANCE_SECRET_KEY", "BINANCE_SECRET_KEY_FILE"),
        ],
    )
    def test_two_names_of_one_setting_in_one_place_are_refused(self, folder, names):
        (folder / "secret").write_text(SECRET)
        given = {name: str(folder / "secret") if name.endswith("_FILE") else SECRET for name in names}
        assert refusal(folder, BINANCE_API_KEY=KEY, **given) == (
            f"{names[0]} and {names[1]} in the environment are the same setting: keep one of them."
        )

    def test_file_form_exists_for_secrets_only(self, folder):
        assert "TRADING_MODE_FILE in the environment is not a setting" in refusal(folder, TRADING_MODE_FILE="x")

    @pytest.mark.parametrize(
        "secret", ["SeKrEt", "redis://:SeKrEt@host:port", "SeKrEt@127.0.0.1:6379", "redis://u:SeKrEt/x@h:y"]
    )
    def test_refused_address_of_redis_does_not_show_its_password(self, folder, secret):
        text = refusal(folder, REDIS_URL=secret)
        assert text.startswith("REDIS_URL=")
        assert "SeKrEt" not in text

    def test_no_secret_is_in_rows_or_in_the_text_of_the_configuration(self, folder):
        configuration = loaded(
            folder, BINANCE_API_KEY=KEY, BINANCE_API_SECRET=SECRET, REDIS_URL="redis://:SeKrEt@127.0.0.1:1"
        )
        text = repr(configuration) + str(list(configuration.rows()))
        assert not any(secret in text for secret in (KEY, SECRET, "SeKrEt"))


class TestSentences:
    def test_value_place_allowed_values_and_nearest_are_said(self, folder):
        assert refusal(folder, TRADING_CANDLE_INTERVAL="1min") == (
            "TRADING_CANDLE_INTERVAL=1min (from the environment) is not allowed: it must be one of 1s, 1m, 3m, 5m, "
            "15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d, 3d, 1w; the nearest one is 1m."
        )

    def test_each_mistake_has_its_own_line(self, folder):
        lines = refusal(
            folder, {"TRADING_DURATION_MINUTES": "-5"}, LOG_FORMAT="xml", RISK_MAX_OPEN_POSITIONS="0"
        ).splitlines()
        assert len(lines) == 3
        assert lines[0] == (
            "TRADING_DURATION_MINUTES=-5 (given as a flag) is not allowed: it must be a number of minutes, 0 or more."
        )

    @pytest.mark.parametrize("interval", ["1s", "1m"])
    def test_confirming_candles_must_be_larger(self, folder, interval):
        assert refusal(folder, TRADING_CONFIRM_INTERVAL=interval) == (
            f"TRADING_CONFIRM_INTERVAL is {interval}: it must be larger than TRADING_CANDLE_INTERVAL, 1m, and a multiple "
            "of it."
        )

    @pytest.mark.parametrize("text", ["on", "off", "enabled"])
    def test_refused_boolean_is_not_answered_with_a_guess(self, folder, text):
        assert refusal(folder, BINANCE_TESTNET=text) == (
            f"BINANCE_TESTNET={text} (from the environment) is not allowed: it must be true, false, 1, 0, yes or no."
        )

    def test_settings_that_contradict_each_other_bring_one_sentence(self, folder):
        text = refusal(folder, BINANCE_API_KEY=KEY, BINANCE_API_SECRET=SECRET, BINANCE_TESTNET="no")
        assert text.startswith("BINANCE_TESTNET=false does not select production:")
        assert "\n" not in text


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("[trading]\nsymbols = 5", "TRADING_SYMBOLS"),
        ("[strategy]\nparams = 5", "STRATEGY_PARAMS"),
        ("[simulation]\nreplay = 5", "SIMULATION_REPLAY"),
        ("[simulation]\nbalances = 5", "SIMULATION_BALANCES"),
    ],
)
def test_toml_value_of_the_wrong_kind_is_one_sentence(tmp_path, table, name):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "a.toml").write_text(table)
    with pytest.raises(ConfigError, match=f"^{name}=5 .* is not allowed"):
        load(environment={}, folder=tmp_path)
