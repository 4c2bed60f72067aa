"""`mtpeft serve`: trained runs behind the OpenAI API."""

from pathlib import Path
from typing import Annotated

import typer

from mtpeft.cli.group import example

EXAMPLE = example(
    "mtpeft serve qwen2.5-coder-0.5b/mt-qlora",
    "mtpeft serve qwen2.5-coder-0.5b/mt-qlora --backend vllm --dry-run",
)


def serve(
    runs: Annotated[list[str], typer.Argument(help="run ids, or backbones for the base alone")],
    host: Annotated[str, typer.Option(help="others than this machine need a key")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one")] = 8000,
    training: Annotated[str, typer.Option(help="training profile of the adapters")] = "fast",
    seed: Annotated[int, typer.Option(min=0, help="seed of the adapters")] = 42,
    adapter: Annotated[
        Path | None, typer.Option(help="adapter or model folder in place of the run's own")
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="folder of the base model; default: the runs'")
    ] = "",
    profile: Annotated[str, typer.Option(help="clean, or faithful to the study")] = "clean",
    backend: Annotated[
        str, typer.Option(help="transformers or vllm; auto: vllm where it is installed")
    ] = "auto",
    dtype: Annotated[
        str,
        typer.Option(help="of weights that are not quantized; default: the machine's faster one"),
    ] = "",
    dry_run: Annotated[bool, typer.Option(help="only say what would be served, and how")] = False,
) -> None:
    """Serve trained runs by the OpenAI API: one name per run, and one per task of a run.

    MTPEFT_SERVE_KEY, where it is set, is the key that clients must show.
    """
    from mtpeft.inference.serve.command import Listening, run
    from mtpeft.inference.serve.models import Choice
    from mtpeft.inference.settings import profile as load_profile

    choice = Choice(runs, training, seed, adapter, backbone, load_profile(profile))
    run(choice, Listening(host, port, backend, dtype), dry_run=dry_run)
