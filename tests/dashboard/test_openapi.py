"""Every route against its own description (OpenAPI), with values that schemathesis makes up: no 500, nothing undescribed."""

import contextlib
import shutil
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from binance_trade_agent.dashboard.access.attempts import Attempts
from tests.dashboard.served import WITH_PASSWORDS, Served, served
from tests.dashboard.walking import routes

pytestmark = pytest.mark.slow

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]  # the last two: of a body
EXPECTED = {503}  # not healthy, not ready, no ledger: each with its sentence
MODEST = settings(max_examples=8, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
OPERATIONS = [(route.path, method) for method in ("GET", "POST") for route in routes(method) if route.include_in_schema]


@pytest.fixture(scope="module")
def exposed(played_folder, tmp_path_factory) -> Iterator[Served]:
    """A dashboard whose ledger may be filled with nonsense."""
    folder = tmp_path_factory.mktemp("exposed")
    shutil.copytree(played_folder, folder, dirs_exist_ok=True)
    with served(folder, **WITH_PASSWORDS) as running:
        yield running


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[f"{method} {path}" for path, method in OPERATIONS])
def test_it_answers_as_it_is_described(exposed, path, method):
    exposed.inner.state.attempts = Attempts()  # the login is asked too, with wrong passwords
    trader = exposed.trader()
    headers = {"Origin": exposed.base, "X-CSRF-Token": trader.token()}
    operation = schemathesis.openapi.from_dict(exposed.inner.openapi())[path][method]

    def ask(case) -> None:
        answer = case.call(base_url=exposed.base, headers=headers, cookies=trader.cookies, allow_redirects=False)
        assert answer.status_code in EXPECTED or answer.status_code < 500, answer.text
        case.validate_response(answer, checks=CHECKS if answer.content else CHECKS[:1])

    MODEST(given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))(ask))()
    with contextlib.suppress(Unsatisfiable):  # where nothing is asked, nothing can be wrong
        MODEST(given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))(ask))()
