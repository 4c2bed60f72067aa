"""A damaged checkpoint is named and left out; an older one that is whole is taken."""

import io
import json
import struct
import zipfile
from pathlib import Path

import pytest
from mtpeft.models.damage import damaged, newest_whole


def safetensors(size: int = 8) -> bytes:
    tensor = {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("archive/data.pkl", b"x" * 500)
    return buffer.getvalue()


def checkpoint(folder: Path, step: int, **changed: bytes) -> Path:
    place = folder / f"checkpoint-{step}"
    place.mkdir()
    files = {"model.safetensors": safetensors(), "optimizer.pt": archive(), "settings.json": b"{}"}
    for name, data in (files | {n.replace("_", "."): d for n, d in changed.items()}).items():
        (place / name).write_bytes(data)
    return place


DAMAGE = {
    "half the tensors": ("model_safetensors", safetensors()[:-3]),
    "half the header": ("model_safetensors", safetensors()[:20]),
    "empty": ("model_safetensors", b""),
    "zeros, as after a full disk": ("model_safetensors", bytes(len(safetensors()))),
    "more than the header says": ("model_safetensors", safetensors() + b"x"),
    "half an archive": ("optimizer_pt", archive()[:300]),
    "half a JSON file": ("settings_json", b'{"a": '),
}


@pytest.mark.parametrize(("name", "data"), DAMAGE.values(), ids=DAMAGE.keys())
def test_training_goes_on_from_an_older_checkpoint_where_the_newest_is_damaged(
    tmp_path, capsys, name, data
):
    whole = checkpoint(tmp_path, 9)
    checkpoint(tmp_path, 5)
    broken = checkpoint(tmp_path, 10, **{name: data})
    assert newest_whole(tmp_path.iterdir()) == whole
    said = capsys.readouterr().err
    assert str(broken) in said and name.replace("_", ".") in said


def test_whole_files_are_whole_and_no_checkpoint_is_none(tmp_path):
    assert newest_whole([]) is None
    assert damaged(checkpoint(tmp_path, 1)) == ""


def test_what_libraries_write_is_whole(tmp_path):
    torch = pytest.importorskip("torch")
    save = pytest.importorskip("safetensors.torch").save_file
    save(
        {"a": torch.zeros(3, 5), "b": torch.ones(2, dtype=torch.float16)},
        tmp_path / "m.safetensors",
    )
    torch.save({"x": torch.zeros(3)}, tmp_path / "optimizer.pt")
    assert damaged(tmp_path) == ""


def test_a_run_is_taken_up_from_the_checkpoint_before_a_damaged_one(tmp_path):
    trainer = pytest.importorskip("mtpeft.tuning.trainer")
    name, data = DAMAGE["half the tensors"]
    whole, broken = checkpoint(tmp_path, 5), checkpoint(tmp_path, 10, **{name: data})
    for place in (whole, broken):
        (place / trainer.STATE).write_text("{}")
    checkpoint(tmp_path, 20)  # cut off before its end
    assert trainer.last_checkpoint(tmp_path) == whole
