"""The commands around models: what is told of them, what is kept and freed, and errors."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pons
import pons.testing
import pytest
from conftest import ADAPTER, ROOT, Models, error_of
from safetensors.torch import load_file, save_file
from transformers import BertModel

Client = pons.testing.Client


def test_what_is_told_of_a_model(worker: Client, models: Models) -> None:
    folder = models.get("bert")
    told = worker.call("create_model", model=str(folder))
    network = BertModel.from_pretrained(str(folder))
    tensors = [*network.parameters(), *network.buffers()]
    assert told == {
        "resource_id": told["resource_id"],
        "type": "model",
        "model": str(folder),
        "directory": str(folder),
        "task": "embed",
        "dtype": "float32",
        "device": "cpu",
        "quantized": False,
        "memory_bytes": sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        "parameters": sum(tensor.numel() for tensor in network.parameters()),
        "max_tokens": 64,
        "dimensions": 32,
    }
    assert worker.call("list_models") == {"models": [told]}


def test_memory_is_counted_until_a_model_is_deleted(worker: Client, models: Models) -> None:
    first = worker.call("create_model", model=str(models.get("bert")))
    second = worker.call("create_pipeline", task="fill-mask", model=str(models.get("gap_filler")))
    stats = worker.call("get_stats")
    assert stats["active_resources"] == 2
    assert stats["resource_memory"] == {each["resource_id"]: each["memory_bytes"] for each in (first, second)}
    assert stats["model_memory_bytes"] == first["memory_bytes"] + second["memory_bytes"] > 0
    worker.call("delete_resource", resource_id=first["resource_id"])
    stats = worker.call("get_stats")
    assert stats["model_memory_bytes"] == second["memory_bytes"]
    assert worker.call("list_models") == {"models": []}
    assert len(worker.call("list_pipelines")["pipelines"]) == 1
    error = error_of(worker.call, "embed", resource_id=first["resource_id"], texts=["snow"])
    assert error.code == "resource_not_found"


def test_a_tokenizer_alone_does_not_need_the_weights(worker: Client, models: Models, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models.get("bert"), tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    told = worker.call("create_tokenizer", model=str(folder))
    assert (told["type"], told["memory_bytes"]) == ("tokenizer", 0)
    expected = {"tokens": [["[CLS]", "snow", "##y", "river", "[SEP]"]], "counts": [5]}
    answer = worker.call("tokenize", resource_id=told["resource_id"], texts=["snowy river"])
    assert {key: answer[key] for key in expected} == expected
    vocabulary = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    assert answer["ids"] == [[vocabulary[token] for token in answer["tokens"][0]]]
    plain = worker.call(
        "execute_resource", resource_id=told["resource_id"], inputs={"texts": ["snow"], "special_tokens": False}
    )
    assert plain["tokens"] == [["snow"]]
    assert worker.call("list_tokenizers")["tokenizers"] == [told]
    error = error_of(worker.call, "embed", resource_id=told["resource_id"], texts=["snow"])
    assert "is a tokenizer alone" in error.message


def test_every_model_has_a_tokenizer_and_all_of_a_text_is_told(worker: Client, models: Models) -> None:
    model = worker.call("create_model", model=str(models.get("bert")))["resource_id"]
    assert worker.call("tokenize", resource_id=model, texts=["snow " * 200, ""])["counts"] == [202, 2]
    assert worker.call("tokenize", resource_id=model, texts=[]) == {"ids": [], "tokens": [], "counts": []}


def test_a_model_made_for_one_thing_is_not_used_for_another(worker: Client, models: Models) -> None:
    encoder = worker.call("create_model", model=str(models.get("bert")))["resource_id"]
    generator = worker.call("create_model", model=str(models.get("gpt")))["resource_id"]
    assert "was loaded for generate" in error_of(worker.call, "embed", resource_id=generator, texts=["a"]).message
    assert "was loaded for embed" in error_of(worker.call, "generate", resource_id=encoder, prompt="a").message
    cases: List[Any] = [
        (encoder, {"sampling": {}}),
        (generator, {"normalize": True}),
        (generator, {"batch_size": 3}),
    ]
    for model, inputs in cases:
        error = error_of(worker.call, "execute_resource", resource_id=model, inputs={"texts": ["a"], **inputs})
        assert error.details["errors"][0]["path"] == f"/inputs/{next(iter(inputs))}"


def test_a_language_model_embeds_where_that_is_asked_for(worker: Client, models: Models) -> None:
    told = worker.call("create_model", model=str(models.get("gpt")), task="embed")
    assert (told["task"], told["dimensions"]) == ("embed", 16)


def test_weights_that_are_missing_are_no_random_numbers(worker: Client, models: Models, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models.get("bert"), tmp_path / "model"))
    file = folder / "model.safetensors"
    tensors = load_file(file)
    kept = {
        name: tensor for name, tensor in tensors.items() if not name.startswith(("pooler", "encoder.layer.1.output"))
    }
    save_file(kept, file, metadata={"format": "pt"})
    error = error_of(worker.call, "create_model", model=str(folder))
    assert error.code == "model_error"
    assert error.details["file"] == str(file)
    assert "lacks 4 of the model's weights: encoder.layer.1.output" in error.message


def test_weights_of_another_shape_are_refused(worker: Client, models: Models, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models.get("bert"), tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 50}), encoding="utf-8")
    error = error_of(worker.call, "create_model", model=str(folder))
    assert error.code == "model_error"
    assert error.details["file"] == str(folder / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("config.json", "{", "config.json"),
        ("config.json", '{"model_type": "no-such-kind"}', "config.json"),
        ("tokenizer.json", "{", "its tokenizer cannot be loaded"),
        ("model.safetensors", "none", "model.safetensors: is no safetensors file"),
    ],
)
def test_a_broken_file_of_a_model_is_a_model_error(
    worker: Client, models: Models, tmp_path: Path, name: str, body: str, said: str
) -> None:
    folder = Path(shutil.copytree(models.get("bert"), tmp_path / "model"))
    (folder / name).write_text(body, encoding="utf-8")
    error = error_of(worker.call, "create_model", model=str(folder))
    assert error.code == "model_error"
    assert str(folder) in error.message
    assert said in error.message


def test_a_folder_without_a_tokenizer_is_named(worker: Client, models: Models, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models.get("bert"), tmp_path / "model"))
    for file in folder.glob("tokenizer*"):
        file.unlink()
    assert f"{folder}: has no tokenizer" in error_of(worker.call, "create_model", model=str(folder)).message


def test_code_that_comes_with_a_model_is_not_run(worker: Client, models: Models, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(models.get("bert"), tmp_path / "model"))
    config = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n", encoding="utf-8")
    assert error_of(worker.call, "create_model", model=str(folder)).code == "model_error"
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_noted(start: Callable[..., Client], models: Models) -> None:
    worker = start(device="cuda:99")
    note = "device cuda:99 is not available here"
    assert worker.info["device"]["used"] == "cpu"
    assert note in worker.info["device"]["note"]
    told = worker.call("create_model", model=str(models.get("bert")))
    assert told["device"] == "cpu"
    assert note in told["note"]
    assert "note" not in worker.call("create_model", model=str(models.get("bert")), device="cpu")
    error = error_of(worker.call, "create_model", model=str(models.get("bert")), device="gpu")
    assert error.details["errors"][0]["path"] == "/device"


def test_the_option_threads_counts(start: Callable[..., Client], models: Models) -> None:
    for threads in (1, 2):
        worker = start(threads=threads)
        worker.call("create_model", model=str(models.get("bert")))
        assert worker.call("get_info")["threads"] == threads


def test_models_of_the_option_preload_are_called_by_name(start: Callable[..., Client], models: Models) -> None:
    folder = models.get("bert")
    worker = start(preload=["bert"], model_cache_dir=str(folder.parent))
    assert worker.info["preloaded"] == ["bert"]
    assert worker.call("get_stats")["preloaded_memory"]["bert"] > 0
    created = worker.call("create_model", model="bert")["resource_id"]
    by_name = worker.call("embed", model="bert", texts=["snow"])
    assert by_name == worker.call("embed", resource_id=created, texts=["snow"])
    assert worker.call("tokenize", model="bert", texts=["snow"])["counts"] == [3]
    error = error_of(worker.call, "embed", model="gpt", texts=["snow"])
    assert "gpt is not under the option preload (bert)" in error.message
    both: Dict[str, Any] = {"model": "bert", "resource_id": created}
    neither: Dict[str, Any] = {}
    for given in (neither, both):
        assert "give either" in error_of(worker.call, "embed", texts=["snow"], **given).message


@pytest.mark.parametrize("options", [{"preload": ["/nowhere/at/all"]}, {"device": "gpu"}])
def test_options_that_cannot_be_kept_end_the_start(start: Callable[..., Client], options: Any) -> None:
    with pytest.raises(pons.Error) as raised:
        start(**options)
    assert raised.value.code == "invalid_configuration"
    assert f"options.{next(iter(options))}: " in raised.value.message


def test_the_models_that_can_be_had_by_name_are_listed(start: Callable[..., Client], models: Models) -> None:
    folder = models.get("bert")
    listed = start(model_cache_dir=str(folder.parent)).call("available_models")
    assert listed["model_cache_dir"] == str(folder.parent)
    assert {"name": "bert", "source": "cache", "directory": str(folder)} in listed["models"]
    assert "all-minilm-l6-v2" in [each["name"] for each in listed["models"]]


def test_starting_imports_neither_torch_nor_transformers() -> None:
    source = (
        "import sys, pons.testing; from text_models.commands import build_app\n"
        "client = pons.testing.client(build_app())\n"
        "assert client.info['framework_version'] and client.info['device'] == {'asked': 'auto', 'used': None}\n"
        "print(*sorted({'torch', 'transformers', 'tokenizers', 'huggingface_hub'} & set(sys.modules)))\n"
    )
    paths = f"{ROOT / 'worker/python'}:{ADAPTER}"
    done = subprocess.run(
        [sys.executable, "-c", source], env={"PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("\n", 0), done.stderr
