"""Whatever the OpenAPI allows, and what it does not: never an answer of 500."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import sampled_from
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

EXAMPLES = 25
PEOPLE = ["lead", "anna", "rea", "reed", "vi"]
QUIETLY = settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.slow
def test_no_input_breaks_the_server(office, mode: GenerationMode) -> None:
    """Every path gets what its description allows (positive), and what it does not (negative)."""
    schema = schemathesis.openapi.from_url(f"{office.url}/api/openapi.json")
    tried = []
    for found in schema.get_all_operations():
        operation = found.ok()

        @QUIETLY
        @given(case=operation.as_strategy(generation_mode=mode), name=sampled_from(PEOPLE))
        def attempt(case, name: str) -> None:
            case.call_and_validate(
                headers={"Authorization": f"Bearer {office.tokens[name]}"},
                checks=[not_a_server_error, response_schema_conformance],
                timeout=60,
            )
            tried.append(case)

        if mode in _modes(operation):
            attempt()
    assert len(tried) > EXAMPLES


def _modes(operation) -> list[GenerationMode]:
    """A path that takes nothing cannot be given anything wrong."""
    takes = [*operation.iter_parameters(), *operation.body]
    return list(GenerationMode) if takes else [GenerationMode.POSITIVE]


def test_every_path_says_who_may_not(office) -> None:
    """Without a token every path of the API answers 401, before it looks at anything else."""
    with office.client() as stranger:
        paths = stranger.get("/api/openapi.json").json()["paths"]
        assert len(paths) > 4
        for path, methods in paths.items():
            for method in methods:
                url = path.replace("{", "").replace("}", "")
                answer = stranger.request(method, url.replace("user_id", "1"))
                assert answer.status_code in {401, 422}, (method, path, answer.status_code)
                assert "patient" not in answer.text
