"""The worker of the adapter transformers: text models of Hugging Face's Transformers."""

from __future__ import annotations

from text_models.commands import build_app

if __name__ == "__main__":
    build_app().run()
