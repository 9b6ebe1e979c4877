"""Writes small models with random weights, the same ones each time: enough for all tests but those of a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, List

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
)

# fmt: off
WORDS = [
    "the", "a", "of", "to", "and", "in", "is", "on", "at", "by", "river", "boat", "sail", "storm", "wind", "rain",
    "snow", "sun", "cloud", "bread", "soup", "salt", "oven", "knife", "train", "rail", "bridge", "road", "wheel",
    "engine", "song", "drum", "choir", "note", "violin", "leaf", "root", "seed", "bee", "garden", "one", "two",
    "three", "four", "five", "six", "seven",
]
# fmt: on

BERT_POSITIONS = 64
BERT_HIDDEN = 32
GPT_POSITIONS = 128
LABELS = ["calm", "loud", "odd"]


def write_bert(folder: Path) -> Path:
    """Write an encoder without modules.json: `BERT_POSITIONS` tokens, `BERT_HIDDEN` dimensions."""
    return _write(folder, BertModel, _bert_config(), _bert_tokenizer())


def write_sentence_encoder(folder: Path, pooling: List[str], *, normalize: bool = True, max_tokens: int = 32) -> Path:
    """Write an encoder with the files of a sentence encoder."""
    write_bert(folder)
    steps = [("", "Transformer"), ("1_Pooling", "Pooling")] + ([("2_Normalize", "Normalize")] if normalize else [])
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(steps)
    ]
    _write_json(folder / "modules.json", modules)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens, "do_lower_case": False})
    (folder / "1_Pooling").mkdir()
    modes = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    flags = {f"pooling_mode_{mode}": mode in pooling for mode in modes}
    _write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": BERT_HIDDEN, **flags})
    return folder


def write_classifier(folder: Path) -> Path:
    """Write a classifier of texts with `LABELS`."""
    return _write(folder, BertForSequenceClassification, _bert_config(**_labels()), _bert_tokenizer())


def write_tagger(folder: Path) -> Path:
    """Write a classifier of tokens with `LABELS`."""
    return _write(folder, BertForTokenClassification, _bert_config(**_labels()), _bert_tokenizer())


def write_gap_filler(folder: Path) -> Path:
    """Write a model that fills gaps."""
    return _write(folder, BertForMaskedLM, _bert_config(), _bert_tokenizer())


def write_gpt(folder: Path, positions: int = GPT_POSITIONS) -> Path:
    """Write a language model; what it says consists of `WORDS`, and never ends by itself."""
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(["<end>", "<unk>", *WORDS])}, "<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", unk_token="<unk>")
    config = GPT2Config(
        vocab_size=len(WORDS) + 2, n_positions=positions, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    return _write(folder, GPT2LMHeadModel, config, wrapped)


def _write(folder: Path, model_class: Any, config: Any, tokenizer: Any) -> Path:
    torch.manual_seed(20)
    model = model_class(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)
        if model_class is GPT2LMHeadModel:
            model.transformer.wte.weight[:2] = 0  # neither the end nor an unknown word is ever the likeliest
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return folder


def _bert_config(**more: Any) -> BertConfig:
    return BertConfig(
        vocab_size=len(_bert_vocabulary()),
        hidden_size=BERT_HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=BERT_POSITIONS,
        **more,
    )


def _labels() -> Any:
    return {"id2label": dict(enumerate(LABELS)), "label2id": {label: index for index, label in enumerate(LABELS)}}


def _bert_vocabulary() -> List[str]:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = letters + ["##" + letter for letter in letters] + list(".,!?")
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces, *(word for word in WORDS if len(word) > 1)]


def _bert_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {token: index for index, token in enumerate(_bert_vocabulary())}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=BERT_POSITIONS,
    )


def _write_json(file: Path, document: Any) -> None:
    file.write_text(json.dumps(document), encoding="utf-8")
