"""Resources: a class whose objects stay in the worker."""

from __future__ import annotations

from typing import Any, ClassVar, Dict, Iterator, List

import pons
import pons.testing
import pytest


class Model:
    """A model that multiplies."""

    closed: ClassVar[List[int]] = []

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __call__(self, inputs: List[int]) -> List[int]:
        return [value * self.factor for value in inputs]

    def describe(self) -> Dict[str, Any]:
        return {"factor": self.factor}

    def close(self) -> None:
        self.closed.append(self.factor)
        if self.factor < 0:
            raise OSError("cannot be closed")


class Voice:
    def __call__(self, text: str, loud: bool = False, *, ctx: pons.Context) -> Iterator[str]:
        yield text.upper() if loud else text
        yield ctx.command


class Plain:
    pass


@pytest.fixture
def app() -> pons.App:
    app = pons.App("t")
    for name, kind in (("model", Model), ("voice", Voice), ("plain", Plain)):
        app.resource(name)(kind)
    Model.closed = []
    return app


@pytest.fixture
def client(app: pons.App) -> pons.testing.Client:
    return pons.testing.client(app)


def failure(client: pons.testing.Client, command: str, **args: Any) -> Dict[str, Any]:
    reply = client.call_raw(command, args)[-1]
    assert not reply["success"], reply
    return reply


def test_it_is_created_run_listed_and_deleted(client: pons.testing.Client) -> None:
    assert client.info["resource_types"] == ["model", "voice", "plain"]
    one, two = (client.call("create_model", factor=factor) for factor in (2, 3))
    assert one == {"resource_id": one["resource_id"], "type": "model", "factor": 2}
    kind, _, random = one["resource_id"].partition("-")
    assert (kind, len(random), one["resource_id"] != two["resource_id"]) == ("model", 32, True)
    assert client.call("list_models") == {"models": [one, two]}
    assert client.call("execute_resource", resource_id=two["resource_id"], inputs=[1, 2]) == [3, 6]
    assert client.call("get_stats")["active_resources"] == 2
    gone = client.call("delete_resource", resource_id=one["resource_id"])
    assert gone == {"status": "deleted", "resource_id": one["resource_id"]}
    assert Model.closed == [2]
    for command in ("execute_resource", "delete_resource"):
        error = failure(client, command, resource_id=one["resource_id"], inputs=[])
        assert (error["code"], error["details"]) == ("resource_not_found", {"resource_id": one["resource_id"]})
    assert client.call("list_models") == {"models": [two]}


def test_the_resource_may_stand_in_the_envelope(client: pons.testing.Client) -> None:
    model = client.call("create_model", factor=2)["resource_id"]
    assert client.call_raw("execute_resource", {"inputs": [4]}, resource_id=model)[-1]["result"] == [8]


def test_inputs_are_a_map_of_its_arguments_unless_it_takes_inputs(client: pons.testing.Client) -> None:
    voice = client.call("create_voice")["resource_id"]
    run = {"resource_id": voice, "inputs": {"text": "hi", "loud": True}}
    assert list(client.stream("execute_resource", **run)) == ["HI", "execute_resource"]
    assert client.call("execute_resource", **run) == ["HI", "execute_resource"]


def test_wrong_arguments_are_named_with_their_path(client: pons.testing.Client) -> None:
    assert failure(client, "create_model", factor="x")["details"]["errors"][0]["path"] == "/factor"
    model = client.call("create_model", factor=2)["resource_id"]
    voice = client.call("create_voice")["resource_id"]
    for resource, inputs, path in (
        (model, ["a"], "/inputs/0"),
        (voice, {"text": 1}, "/inputs/text"),
        (voice, [1], "/inputs"),
    ):
        error = failure(client, "execute_resource", resource_id=resource, inputs=inputs)
        assert (error["code"], error["details"]["errors"][0]["path"]) == ("invalid_args", path)
    assert failure(client, "execute_resource")["details"]["errors"][0]["path"] == "/resource_id"


def test_what_has_no_call_cannot_be_executed(client: pons.testing.Client) -> None:
    plain = client.call("create_plain")
    assert plain == {"resource_id": plain["resource_id"], "type": "plain"}
    assert (
        failure(client, "execute_resource", resource_id=plain["resource_id"])["error"] == "A plain cannot be executed"
    )


def test_cleanup_closes_all_also_when_one_cannot_be_closed(client: pons.testing.Client) -> None:
    for factor in (1, -1, 2):
        client.call("create_model", factor=factor)
    assert client.call("cleanup")["resources_removed"] == 3
    assert Model.closed == [1, -1, 2]
    assert client.call("get_stats")["active_resources"] == 0


def test_other_commands_find_and_add_them(app: pons.App) -> None:
    @app.command
    def load_model(path: str) -> Any:
        models = app.resources["model"]
        return models.describe(models.add(Model(len(path))))

    @app.command
    def factor_of(resource_id: str) -> Any:
        return app.resources["model"].get(resource_id).factor

    client = pons.testing.client(app)
    model = client.call("load_model", path="abc")["resource_id"]
    assert client.call("factor_of", resource_id=model) == 3
    assert failure(client, "factor_of", resource_id="model-none")["code"] == "resource_not_found"


def test_a_type_that_cannot_be_is_refused(app: pons.App) -> None:
    with pytest.raises(ValueError, match="no resource type"):
        app.resource("a b")(Plain)
    with pytest.raises(ValueError, match="declared twice"):
        app.resource("model")(Plain)
