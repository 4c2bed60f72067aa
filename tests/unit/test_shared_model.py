"""Shared modules: counts equal the study's logs, adapters start as identity, frozen weights stay,
heads stay apart.
"""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

if importlib.util.find_spec("torch") is None:
    pytest.skip("the group `train` is not installed (make .venv/.train)", allow_module_level=True)

import torch
from mtpeft.catalog import Backbone, catalog
from mtpeft.core.errors import BadInput, MtpeftError, UnknownName
from mtpeft.models.adapters import Adapters, load, matching, save
from mtpeft.models.base import config_of, empty_encoder, load_encoder, longest_input
from mtpeft.models.counts import counted, heads_counted
from mtpeft.models.heads import label_loss, positive_weight, ranking_loss
from mtpeft.models.methods import method_module, positions_taken, shipped
from mtpeft.models.pooling import pooled
from mtpeft.models.shared import SharedModel, about
from mtpeft.statistics.figures import FigureSet
from mtpeft.tuning.ledger import flop_counter
from mtpeft.tuning.settings import how, resolve
from shared_models import HEADS, KIND, SMALL, TINY, batch, encoder, method, shared, tiny

METHODS = ["fft", "lora", "mlora", "parallel_adapter", "prefix", "serial_adapter"]
FOUR = ["label", "label", "label", "ranking"]
BACKBONES = sorted(
    {
        r.backbone
        for r in catalog().runs.values()
        if r.method == "serial_adapter" and r.study == "multitask-peft"
    }
)


@pytest.mark.parametrize("method_id", METHODS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_trained_parameters_are_those_of_the_studys_log(backbone: str, method_id: str) -> None:
    run = catalog().get("runs", f"{backbone}/mt-{method_id}")
    given = {**how(resolve(run, "faithful")), "tasks": len(run.tasks)}
    found = counted(catalog().get("backbones", backbone), method(method_id), given).trained
    figures = FigureSet.of(catalog().studies["multitask-peft"])
    logged = figures.find_runs("G2", "multi", backbone, method_id, "log")
    assert {r.trainable_params for r in logged} == {found}


def test_heads_of_the_four_tasks_have_the_sizes_that_the_study_has() -> None:
    assert [heads_counted(h, FOUR) for h in (768, 1024, 1536, 2048)] == [
        1_479_171,
        2_627_587,
        5_907_459,
        10_498_051,
    ]


@pytest.mark.parametrize("name", ["serial_adapter", "parallel_adapter", "lora", "mlora"])
@pytest.mark.parametrize("family", SMALL)
def test_a_new_method_changes_nothing(family: str, name: str) -> None:
    inputs = batch()
    plain = pooled(
        KIND[family],
        encoder(family)(input_ids=inputs["ids"], attention_mask=inputs["mask"]),
        inputs["mask"],
    )
    assert torch.equal(shared(family, name).embed(inputs["ids"], inputs["mask"]), plain)


def _disturbed(family: str, name: str) -> torch.Tensor:
    model = shared(family, name)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in model.shared_parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    inputs = batch()
    return model.embed(inputs["ids"], inputs["mask"])


@pytest.mark.parametrize("family", SMALL)
def test_parallel_is_not_serial_and_both_have_an_effect(family: str) -> None:
    inputs = batch()
    plain = pooled(
        KIND[family],
        encoder(family)(input_ids=inputs["ids"], attention_mask=inputs["mask"]),
        inputs["mask"],
    )
    serial, parallel = _disturbed(family, "serial_adapter"), _disturbed(family, "parallel_adapter")
    assert (
        not torch.allclose(serial, plain)
        and not torch.allclose(parallel, plain)
        and not torch.allclose(serial, parallel)
    )


def test_a_parallel_adapter_reads_the_first_sites_input_and_adds_to_the_seconds_output() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 4))
    x = torch.randn(3, 4)
    before = model(x)
    adapters = Adapters(model, "parallel", [["0", "2"]], 4, 2)
    torch.nn.init.normal_(adapters[0].up.weight)
    assert torch.allclose(model(x), before + adapters[0](x))


def test_a_serial_adapter_reads_and_changes_the_same_output() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    x = torch.randn(3, 4)
    adapters = Adapters(model, "serial", ["0"], 4, 2)
    torch.nn.init.normal_(adapters[0].up.weight)
    h = torch.nn.functional.linear(x, model[0].weight, model[0].bias)
    assert torch.allclose(model(x), model[1](h + adapters[0](h)))


def test_parallel_adapters_of_a_model_with_one_site_a_layer_span_two_layers() -> None:
    model = shared("roberta", "parallel_adapter")
    assert model.extra.sites == [["encoder.layer.0.attention", "encoder.layer.1.attention"]]


@pytest.mark.parametrize("name", ["serial_adapter", "parallel_adapter", "lora", "prefix"])
@pytest.mark.parametrize("family", ["roberta", "modernbert", "llama"])
def test_frozen_weights_stay_bit_identical_in_training_and_the_others_move(
    family: str, name: str
) -> None:
    model = shared(family, name).train()
    trained = {id(p) for p in model.shared_parameters()}
    frozen = {n: p.clone() for n, p in model.encoder.named_parameters() if not p.requires_grad}
    before = [p.clone() for p in model.shared_parameters()]
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=1e-2, weight_decay=0.1
    )
    for step in range(3):
        optimizer.zero_grad()
        (
            model.loss("vulnerability-detection", batch(seed=step))
            + model.loss("code-search", batch(seed=step))
        ).backward()
        optimizer.step()
    assert trained and frozen
    assert all(
        torch.equal(p, frozen[n]) for n, p in model.encoder.named_parameters() if n in frozen
    )
    assert all(
        not torch.equal(a, b) for a, b in zip(before, model.shared_parameters(), strict=True)
    )


def test_a_head_gets_no_gradient_from_another_tasks_batch() -> None:
    model = shared("llama", "serial_adapter").train()
    model.loss("code-search", batch()).backward()
    assert all(p.grad is None for p in model.head_parameters("vulnerability-detection"))
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0
        for p in model.head_parameters("code-search")
        if p.dim() > 1
    )
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.shared_parameters())


def test_a_prefix_that_would_train_nothing_is_refused() -> None:
    with pytest.raises(MtpeftError, match="no effect in T5EncoderModel"):
        shared("t5", "prefix")


@pytest.mark.parametrize("family", ["roberta", "modernbert", "llama", "qwen2"])
def test_a_prefix_changes_the_result_and_gets_a_gradient(family: str) -> None:
    model, inputs = shared(family, "prefix"), batch()
    before = model.embed(inputs["ids"], inputs["mask"])
    (
        before * torch.randn(before.shape, generator=torch.Generator().manual_seed(0))
    ).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 1e-9 for p in model.shared_parameters())
    with torch.no_grad():
        torch.nn.init.normal_(
            model.shared_parameters()[0]
        )  # a constant would vanish in the first norm
    assert not torch.allclose(model.embed(inputs["ids"], inputs["mask"]), before)


@pytest.mark.parametrize("family", SMALL)
def test_padding_does_not_change_a_vector(family: str) -> None:
    model = shared(family, "serial_adapter")
    inputs = batch(size=2, length=9)
    row = int(inputs["mask"][1].sum())
    alone = model.embed(inputs["ids"][1:, :row], inputs["mask"][1:, :row])
    assert torch.allclose(model.embed(inputs["ids"], inputs["mask"])[1:], alone, atol=1e-5)


def test_pooling_differs_by_kind() -> None:
    class Output:
        last_hidden_state = torch.arange(12.0).reshape(1, 3, 4)
        pooler_output = None

    mask = torch.tensor([[1, 1, 0]])
    assert torch.equal(pooled("encoder", Output, mask), Output.last_hidden_state[:, 0])
    assert torch.equal(pooled("decoder", Output, mask), Output.last_hidden_state[:, :2].mean(dim=1))
    Output.pooler_output = torch.ones(1, 4)  # type: ignore[assignment]
    assert torch.equal(pooled("encoder", Output, mask), torch.ones(1, 4))


@pytest.mark.parametrize(
    "name", ["serial_adapter", "parallel_adapter", "lora", "mlora", "prefix", "fft"]
)
def test_a_saved_model_gives_the_same_vectors_when_loaded(tmp_path: Path, name: str) -> None:
    model, inputs = shared("llama", name), batch()
    with torch.no_grad():
        for parameter in [*model.shared_parameters(), *model.head_parameters()]:
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save(tmp_path)
    other = shared("llama", name)
    assert not torch.equal(
        other("vulnerability-detection", inputs), model("vulnerability-detection", inputs)
    )
    other.load(tmp_path)
    assert torch.equal(
        other("vulnerability-detection", inputs), model("vulnerability-detection", inputs)
    )


def test_an_adapter_file_for_other_sites_is_refused(tmp_path: Path) -> None:
    model = encoder("llama")
    serial = Adapters(model, "serial", matching(model, ["mlp"]), 16, 4)
    save(serial, tmp_path / "a.safetensors")
    for other, why in (
        (Adapters(encoder("llama"), "serial", matching(model, ["self_attn"]), 16, 4), "sites"),
        (Adapters(encoder("llama"), "serial", matching(model, ["mlp"]), 16, 8), "shape"),
    ):
        with pytest.raises(BadInput, match=why):
            load(other, tmp_path / "a.safetensors")
    first = (tmp_path / "a.safetensors").read_bytes()
    for _ in range(5):
        save(serial, tmp_path / "a.safetensors")
        assert (tmp_path / "a.safetensors").read_bytes() == first, (
            "equal adapters are not equal bytes"
        )
    (tmp_path / "b.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BadInput, match="safetensors"):
        load(serial, tmp_path / "b.safetensors")


def test_losses_are_what_their_formulas_say() -> None:
    logits, labels = torch.tensor([2.0, -1.0]), torch.tensor([1, 0])
    plain = (torch.log1p(torch.exp(-logits[0])) + torch.log1p(torch.exp(logits[1]))) / 2
    assert torch.allclose(label_loss(logits, labels), plain)
    assert torch.allclose(
        label_loss(logits, labels, 3.0), plain + torch.log1p(torch.exp(-logits[0]))
    )
    unit = torch.eye(3)
    assert torch.allclose(
        ranking_loss(unit, unit),
        -torch.log(torch.tensor(20.0).exp() / (torch.tensor(20.0).exp() + 2)),
    )
    assert (
        positive_weight([1] + [0] * 26) == 26.0
        and positive_weight([1, 0, 0]) == 1.0
        and positive_weight([0, 0]) == 1.0
    )


def test_an_unknown_method_or_architecture_is_answered_with_a_way_out() -> None:
    with pytest.raises(UnknownName, match="serial_adapter"):
        method_module(replace(method("serial_adapter"), id="serial_adaptor"))
    for config in ({"model_type": "robberta"}, {}):
        with pytest.raises(MtpeftError, match="no architecture of transformers") as said:
            config_of(replace(tiny("roberta"), config=config))
        assert "tiny-roberta.yaml" in said.value.fix
    assert shipped() == ["fft", "lora", "mlora", "parallel_adapter", "prefix", "serial_adapter"]


BERT = {
    "model_type": "bert",
    "vocab_size": 64,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}


@pytest.mark.parametrize("name", METHODS)
def test_an_architecture_that_no_code_names_takes_every_method(name: str) -> None:
    matrices = ["query", "key", "value"]
    modules = {"adapters": ["attention"], "lora": matrices, "mlora": matrices}
    bert = Backbone("bert", "", "", "", "", "encoder", dict(BERT), modules)
    made = empty_encoder(config_of(bert), seed=0)
    model = SharedModel(made, bert, method(name), HEADS, how(TINY)).train()
    before = [p.clone() for p in model.shared_parameters()]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for step in range(2):  # the second matrix of a new adapter is 0: the first moves later
        model.loss("vulnerability-detection", batch(seed=step)).backward()
        optimizer.step()
    moved = [not torch.equal(a, b) for a, b in zip(before, model.shared_parameters(), strict=True)]
    assert before and sum(moved) > len(moved) / 2


def test_a_backbone_that_does_not_name_its_modules_is_told_so() -> None:
    bare = replace(tiny("llama"), modules={})
    with pytest.raises(MtpeftError, match="does not say which modules take adapters") as said:
        SharedModel(encoder("llama"), bare, method("serial_adapter"), HEADS, how(TINY))
    assert "tiny-llama.yaml" in said.value.fix


@pytest.mark.parametrize(("family", "positions"), [("roberta", 38), ("t5", None), ("llama", 64)])
def test_positions_that_a_text_cannot_have_are_not_counted(
    family: str, positions: int | None, tmp_path: Path
) -> None:
    encoder(family).save_pretrained(tmp_path)
    assert longest_input(str(tmp_path)) == positions


def _tasked(model: SharedModel) -> list[torch.Tensor]:
    inputs = {k: v for k, v in batch().items() if k != "labels"}
    with torch.no_grad():
        model._choose(0)  # type: ignore[misc]
        first = model.embed(**inputs)
        model._choose(1)  # type: ignore[misc]
        return [first, model.embed(**inputs)]


@pytest.mark.parametrize("family", SMALL)
def test_mlora_gives_each_task_its_own_update_of_shared_matrices(family: str) -> None:
    model = shared(family, "mlora")
    torch.manual_seed(3)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith((".up", ".diagonal")):
                p.normal_()
    one, other = _tasked(model)
    assert not torch.allclose(one, other)
    model.train().loss("vulnerability-detection", batch()).backward()
    grads = {n.rsplit(".", 1)[-1]: p.grad for n, p in model.named_parameters() if "mixture" in n}
    assert grads["mixture"][0].abs().sum() > 0 and grads["mixture"][1].abs().sum() == 0


def test_an_mlora_layer_is_what_its_formula_says() -> None:
    from mtpeft.models.methods.mlora import TaskLinear

    torch.manual_seed(0)
    base, given = torch.nn.Linear(5, 3), {"lora_rank": 2, "lora_alpha": 8, "lora_dropout": 0.0}
    layer, x = TaskLinear(base, 2, {**given, "mlora_pool": 3}), torch.randn(4, 5)
    torch.nn.init.normal_(layer.up)
    torch.nn.init.normal_(layer.diagonal)
    layer.task = 1
    weights = torch.softmax(layer.mixture[1], 0)
    up = sum(w * b for w, b in zip(weights, layer.up, strict=True))
    expected = base(x) + 4 * (x @ layer.down.T @ torch.diag(layer.diagonal[1]) @ up.T)
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_saved_heads_say_what_is_needed_to_build_the_model_again(tmp_path: Path) -> None:
    shared("llama", "lora").save(tmp_path)
    told = about(tmp_path)
    assert (told["method"], told["outputs"], told["how"]["lora_rank"]) == ("lora", HEADS, 2)


def test_two_models_from_one_seed_are_equal() -> None:
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            shared("qwen2", "lora").parameters(),
            shared("qwen2", "lora").parameters(),
            strict=True,
        )
    )


@pytest.mark.parametrize("family", ["roberta", "modernbert", "t5", "llama", "qwen2"])
@pytest.mark.parametrize("name", ["fft", "lora", "serial_adapter"])
def test_fused_attention_is_the_same_function_and_counted_alike(family: str, name: str) -> None:
    found = []
    for kernel in ("eager", "sdpa"):
        config = config_of(tiny(family))
        config._attn_implementation = kernel
        made = empty_encoder(config, seed=0)
        torch.manual_seed(1)
        model = SharedModel(made, tiny(family), method(name), HEADS, how(TINY)).eval()
        with torch.no_grad():
            for p in model.shared_parameters():
                p.add_(0.1 * torch.randn_like(p))
        with flop_counter() as counter:
            loss = model.loss("vulnerability-detection", batch())
            loss.backward()
        gradients = [p.grad for p in model.shared_parameters()]
        found.append((loss.detach(), gradients, counter.get_total_flops()))
    (a, left, eager), (b, right, fused) = found
    assert torch.allclose(a, b, atol=1e-5)
    assert all(torch.allclose(x, y, atol=1e-5) for x, y in zip(left, right, strict=True))
    # The backward pass of the fused kernel computes the scores again.
    assert eager <= fused <= 1.1 * eager


@pytest.mark.parametrize("where", ["keys", "input"])
def test_a_text_has_the_positions_that_virtual_tokens_leave(where: str, tmp_path: Path) -> None:
    made = encoder("roberta")
    made.save_pretrained(tmp_path)
    backbone, read = replace(tiny("roberta"), virtual_tokens=where), how(TINY)
    room = longest_input(str(tmp_path)) - positions_taken(method("prefix"), read)
    assert (room, positions_taken(method("lora"), read)) == (38 - read["virtual_tokens"], 0)
    model = SharedModel(made, backbone, method("prefix"), HEADS, read).eval()

    def pass_through(length: int) -> None:
        ids = torch.full((1, length), 5)
        model("vulnerability-detection", {"ids": ids, "mask": torch.ones_like(ids)})

    pass_through(room)
    with pytest.raises((RuntimeError, IndexError)):
        pass_through(room + 1)


def _family(name: str, kind: str, modules: dict[str, list[str]], **config: object) -> Backbone:
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    given = {"model_type": name, "vocab_size": 64, "pad_token_id": 1, **sizes, **config}
    return Backbone(name, name, "", "", "", kind, given, modules, "input")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "kind", "config"),
    [
        ("electra", "encoder", {"hidden_size": 16, "embedding_size": 8}),
        ("albert", "encoder", {"hidden_size": 16, "embedding_size": 8}),
        ("mamba", "decoder", {"hidden_size": 16, "state_size": 4}),
    ],
)
def test_virtual_tokens_before_the_input_are_as_wide_as_embeddings(
    name: str, kind: str, config: dict
) -> None:
    """ELECTRA's and ALBERT's are narrower than the states; Mamba has no attention heads."""
    backbone = _family(name, kind, {}, **config)
    encoder = empty_encoder(config_of(backbone), seed=0)
    model = SharedModel(encoder, backbone, method("prefix"), HEADS, how(TINY)).train()
    model.loss("vulnerability-detection", batch()).backward()
    (prompt,) = model.shared_parameters()
    assert prompt.shape == (TINY.virtual_tokens, config.get("embedding_size", 16))
    assert prompt.grad is not None and prompt.grad.abs().sum() > 0


def test_an_encoder_decoder_without_an_encoder_of_its_own_is_refused() -> None:
    for name in ("plbart", "bart", "pegasus"):
        with pytest.raises(MtpeftError, match=f"no encoder alone of an encoder-decoder {name}"):
            empty_encoder(config_of(_family(name, "encoder-decoder", {}, d_model=16)), "meta")


@pytest.mark.parametrize("family", ["t5", "mt5"])
def test_an_encoder_that_was_saved_alone_is_read_alone(family: str, tmp_path: Path) -> None:
    """Its configuration says that it is no encoder-decoder: its decoder was missed."""
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
    made = empty_encoder(config_of(_family(family, "encoder-decoder", {}, **sizes)), seed=0)
    made.save_pretrained(tmp_path)
    again = load_encoder(str(tmp_path))
    assert type(again) is type(made)
    found, given = again.state_dict(), made.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in given.items())


def test_a_length_that_is_no_length_is_no_limit(tmp_path: Path) -> None:
    backbone = _family("xlnet", "encoder", {}, d_model=16, n_layer=1, n_head=2, d_inner=24)
    config_of(backbone).save_pretrained(tmp_path)
    assert longest_input(str(tmp_path)) is None
