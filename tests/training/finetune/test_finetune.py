# SPDX-License-Identifier: Apache-2.0
"""A studio's clips and captions in, a new model out that still can what its base could."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from videomdm.camera import orbit, project  # noqa: E402 (after the skip)
from videomdm.camera_fit import intrinsics_guess, to_pixels  # noqa: E402
from videomdm.errors import UserError  # noqa: E402
from videomdm.keypoints import Keypoints  # noqa: E402
from videomdm.keypoints.layout import COUNT, INDEX  # noqa: E402
from videomdm.model.adapter import load_adapter, load_denoiser  # noqa: E402
from videomdm.model.registry import available_models  # noqa: E402
from videomdm.model.text import STATE  # noqa: E402
from videomdm.motion.bvh import write_bvh  # noqa: E402
from videomdm.motion.clip import Motion  # noqa: E402
from videomdm.motion.representation import encode  # noqa: E402
from videomdm.motion.skeleton import JOINT_NAMES  # noqa: E402
from videomdm.pipeline import Pipeline, TextRequest  # noqa: E402
from videomdm_training import samples  # noqa: E402
from videomdm_training.captions import CaptionTable  # noqa: E402
from videomdm_training.engine import EngineConfig  # noqa: E402
from videomdm_training.finetune import rehearsal  # noqa: E402
from videomdm_training.finetune.clips import read_clips  # noqa: E402
from videomdm_training.finetune.finetune import Base, FinetuneConfig, add_prompts, load_settings  # noqa: E402
from videomdm_training.finetune.folder import refuse_other_folder  # noqa: E402
from videomdm_training.finetune.material import gather  # noqa: E402
from videomdm_training.finetune.network import AdaptedDenoiser  # noqa: E402

from ..conftest import Train  # noqa: E402
from ..motions import person  # noqa: E402

CAPTION = "the mascot greets the crowd"
QUICK = (
    "engine.accelerator=cpu", "engine.steps=6", "engine.save_every=2", "engine.log_every=2", "batch=4",
    "rehearsal.clips=6", "rehearsal.batch=4",
)  # fmt: skip


def keypoints_of(joints: np.ndarray) -> Keypoints:
    """What a detector would report of joints (T, 22, 3) from five metres away."""
    camera = orbit(np.array([0.0, 1.0, 1.0]), np.array(0.4), np.array(-0.1), np.array(5.0))
    pixels = to_pixels(project(camera.to_camera(joints.astype(float)))[0], intrinsics_guess(1280, 720))
    points, confidence = np.zeros((len(joints), COUNT, 2)), np.zeros((len(joints), COUNT))
    for side in ("left", "right"):
        for name in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"):
            points[:, INDEX[f"{side}_{name}"]] = pixels[:, JOINT_NAMES.index(f"{side}_{name}")]
            confidence[:, INDEX[f"{side}_{name}"]] = 0.9
    return Keypoints(points, confidence, 20.0, 1280, 720, source="camera")


def log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten clips of one action: as clip files with their own captions, and one as BVH with a text beside it."""
    folder = tmp_path_factory.mktemp("studio") / "greeting"
    folder.mkdir()
    for number in range(9):
        motion = person(40 + number, waving=0.5, phase=number)
        Motion(motion, 20.0, caption=CAPTION).save(folder / f"take{number}.npz")
    write_bvh(folder / "take9.bvh", Motion(person(60, waving=0.4), 30.0))
    (folder / "take9.txt").write_text(f"{CAPTION}\nhello there\n")
    (folder / "notes.md").write_text("shot on a Tuesday")
    return folder


@pytest.fixture(scope="module")
def tuned(train: Train, run_folder: Path, studio: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished fine-tuning, beside its base."""
    folder = tmp_path_factory.mktemp("models") / "greeting"
    told = ("--from", run_folder, "--data", studio, "-o", folder, "--licence", "CC0-1.0", "--commercial")
    settings = (*QUICK, "engine.steps=60", "engine.learning_rate=3e-2")
    result = train("finetune", *told, settings=settings)
    assert "finished after step 60" in result.output and f"--model {folder}" in result.output
    return folder


def denoising_error(model: Path, clips: list, words: str) -> float:
    """Mean squared error of one-step denoising of clips, normalised, from half the noise."""
    from videomdm.diffusion.schedule import cosine
    from videomdm.model.text import text_encoder

    file = load_denoiser(model)
    mean, std = file.tensors["mean"], file.tensors["std"]
    total = 0.0
    for number, clip in enumerate(clips):
        x0 = (encode(torch.from_numpy(clip.motion.positions[None, :40])) - mean) / std
        noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(number))
        t = torch.tensor([30])
        with torch.no_grad():
            text = text_encoder()([words])
            total += float((file.network(cosine(50).diffuse(x0, noise, t), t, *text) - x0).square().mean())
    return total / len(clips)


def test_the_new_model_knows_the_action_and_is_small(tuned, run_folder, studio):
    clips = read_clips(studio)
    assert denoising_error(tuned, clips, CAPTION) < 0.97 * denoising_error(run_folder, clips, CAPTION)
    assert (tuned / "adapter.safetensors").stat().st_size < 2e5
    assert not (tuned / "denoiser.safetensors").exists()
    rows = log(tuned)
    features = [row["features"] for row in rows]
    assert np.mean(features[-10:]) < np.mean(features[:10]) and all("rehearsal" in row for row in rows)


def test_the_new_model_is_listed_with_its_card_and_makes_motion(tuned, run_folder, monkeypatch):
    monkeypatch.setenv("VIDEOMDM_MODELS", str(tuned.parent))
    info = next(info for info in available_models() if info.name == "greeting")
    assert (info.licence, info.commercial, info.base) == ("CC0-1.0", True, run_folder.name)
    card = Path(info.card).read_text()
    assert "two of the base's own are" in card
    assert CAPTION in card and "CC0-1.0; commercial use is permitted" in card and "10 clips" in card
    motion = Pipeline.load("greeting", "cpu").generate(TextRequest(CAPTION, seconds=1, steps=3))[0]
    assert len(motion) == 20 and motion.provenance["model"] == "greeting"
    config = json.loads((tuned / "config.json").read_text())
    known = load_adapter(tuned / "adapter.safetensors")[1]["base"]
    assert known == Base.load(str(run_folder)).identity
    assert config["base"] == {**known, "folder": str(run_folder)}
    assert config["adapter"]["rank"] == 8 and config["engine"]["steps"] == 60


def test_rehearsal_keeps_what_the_base_could(train: Train, run_folder, studio, tmp_path):
    forgotten = []
    for weight in (0.0, 20.0):
        folder = tmp_path / f"kept{weight}"
        settings = (*QUICK, "engine.steps=40", "engine.learning_rate=3e-2", f"rehearsal.weight={weight}")
        train("finetune", "--from", run_folder, "--data", studio, "-o", folder, settings=settings)
        forgotten.append(load_adapter(folder / "adapter.safetensors")[1]["forgotten_metres"])
        assert all(("rehearsal" in row) == (weight > 0) for row in log(folder))
    assert forgotten[1] < 0.8 * forgotten[0]


def test_a_stopped_fine_tuning_goes_on_to_the_same_bits(train: Train, run_folder, studio, tmp_path):
    words = ("finetune", "--from", run_folder, "--data", studio, "-o")
    train(*words, tmp_path / "one" / "x", settings=QUICK)
    result = train(*words, tmp_path / "two" / "x", "--time-limit", "0.000001", settings=QUICK)
    assert "stopped" in result.output and (tmp_path / "two" / "x" / "adapter.safetensors").is_file()
    train(*words, tmp_path / "two" / "x", settings=QUICK)
    one, two = (load_adapter(tmp_path / name / "x" / "adapter.safetensors")[0] for name in ("one", "two"))
    assert all(torch.equal(v, two.state_dict()[k]) for k, v in one.state_dict().items())


@pytest.mark.parametrize(
    "change", [("method=full",), ("--whole",), ("motions=2d",), ("motions=2d", "mirror=false", "views=1")]
)
def test_other_ways_to_tune(train: Train, run_folder, studio, tmp_path, change):
    flags = [word for word in change if word.startswith("--")]
    settings = [word for word in change if not word.startswith("--")]
    folder = tmp_path / "other"
    words = ("finetune", "--from", run_folder, "--data", studio, "-o", folder)
    train(*words, *flags, settings=(*QUICK, "engine.steps=40", "engine.log_every=1", *settings))
    whole = "motions=2d" not in change
    assert (folder / "denoiser.safetensors").is_file() == whole
    assert (folder / "adapter.safetensors").is_file() != whole
    rows = log(folder)
    name = "features" if whole else "loss"
    first, last = (np.mean([row[name] for row in rows[part]]) for part in (slice(10), slice(-10, None)))
    assert last < 1.02 * first and max(row["loss"] for row in rows) < 3 * rows[0]["loss"]
    if whole:  # works where its base is not
        assert load_denoiser(folder).meta["diffusion_steps"] == 50
        assert Pipeline.load(str(folder), "cpu").lifter is not None
    else:
        assert {"position", "velocity", "alignment"} <= rows[-1].keys()


def test_each_method_has_a_learning_rate_of_its_own(tmp_path):
    def rate(*overrides: str) -> float:
        return load_settings(None, overrides, 0.0, tmp_path).engine.learning_rate

    assert (rate(), rate("method=full")) == (7e-3, 1e-4)
    assert rate("method=full", "engine.learning_rate=2e-4") == 2e-4
    assert rate("method=full", "engine.learning_rate=7e-3") == 7e-3


@pytest.mark.parametrize("kind", ["3d", "teacher"])
def test_a_setting_that_would_be_replaced_is_refused(tmp_path, kind):
    with pytest.raises(UserError, match=r"loss\.supervision") as refused:
        load_settings(None, (f"loss.supervision={kind}",), 0.0, tmp_path)
    assert "Set motions" in refused.value.advice


def test_the_studio_sees_what_it_makes(train: Train, run_folder, studio, tmp_path, monkeypatch):
    """A picture of the captions' motions, and how far the work has come while the base makes its own."""
    bars = []

    def bar(iterable, **options):
        bars.append((len(iterable), options["desc"]))
        return iterable

    monkeypatch.setattr(rehearsal, "progress_bar", bar)
    drawn = []
    draw = samples.draw_sheet
    monkeypatch.setattr(
        samples, "draw_sheet", lambda motions, *rest: drawn.append(motions) or draw(motions, *rest)
    )
    words = ("finetune", "--from", run_folder, "--data", studio, "-o", tmp_path / "x")
    train(*words, settings=(*QUICK, "engine.validate_every=3", "rehearsal.clips=50"))
    assert bars == [(3, "rehearsal")]
    assert sorted(path.name for path in (tmp_path / "x" / "samples").iterdir()) == [
        "step0000003.png",
        "step0000006.png",
    ]
    assert [motion.caption for motion in drawn[0]] == [CAPTION, "hello there"]


def test_of_several_processes_one_writes_the_model(train: Train, run_folder, studio, tmp_path, monkeypatch):
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    monkeypatch.setattr(rank_zero_only, "rank", 1)
    folder = tmp_path / "x"
    result = train("finetune", "--from", run_folder, "--data", studio, "-o", folder, settings=QUICK)
    assert (folder / "state.pt").is_file() and result.output.count("Try it") == 0
    assert not [
        name for name in ("config.json", "adapter.safetensors", "CARD.md") if (folder / name).exists()
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def test_a_model_that_lies_there_is_not_touched(
    train: Train, run_folder, tuned, studio, tmp_path, monkeypatch
):
    monkeypatch.setenv("VIDEOMDM_DATA", str(tmp_path / "user"))
    exported, copied, other = (tmp_path / name for name in ("exported", "copied", "other"))
    train("export", run_folder, "-o", exported)
    copied.mkdir()
    shutil.copy(tuned / "adapter.safetensors", copied)
    shutil.copy(tuned / "config.json", copied)
    (tmp_path / "link").symlink_to(run_folder)
    other.mkdir()
    (other / "config.json").write_text('{"table": 1}')
    words = ("finetune", "--from", run_folder, "--data", studio)
    for there, said in (
        (exported, "holds denoiser.safetensors"),
        (copied, "holds adapter.safetensors"),
        (run_folder, "is the model to start from"),
        (tmp_path / "link", "is the model to start from"),
        (other, "another kind of run"),
    ):
        before = contents(there)
        result = train(*words, "-o", there, settings=QUICK, status=2)
        assert said in result.output and "Choose another folder" in result.output
        assert contents(there) == before
    result = train(
        "finetune", "--from", exported, "--data", studio, "-o", run_folder, settings=QUICK, status=2
    )
    assert "another kind of run" in result.output and "Remove" not in result.output


def test_an_adapter_and_whole_weights_take_each_others_place(train: Train, run_folder, studio, tmp_path):
    words = ("finetune", "--from", run_folder, "--data", studio, "-o", tmp_path / "x")
    for flag, there in (((), {"adapter"}), (("--whole",), {"denoiser", "lifter"}), ((), {"adapter"})):
        train(*words, *flag, settings=QUICK)
        assert {path.stem for path in (tmp_path / "x").glob("*.safetensors")} == there


def test_a_run_does_not_claim_what_it_never_trained(train: Train, run_folder, studio, tmp_path):
    data, folder = tmp_path / "data", tmp_path / "x"
    shutil.copytree(studio, data)
    words = ("finetune", "--from", run_folder, "--data", data, "-o", folder)
    train(*words, settings=QUICK)
    train(*words, settings=(*QUICK, "engine.save_every=3"))  # finished, and told nothing that matters
    made = contents(folder)
    Motion(person(40, waving=0.1), 20.0, caption="the mascot bows").save(data / "bow.npz")
    refused = train(*words, settings=QUICK, status=2).output
    assert "other clips or captions" in refused and "more engine.steps than 6" in refused
    (data / "bow.npz").unlink()
    refused = train(*words, settings=(*QUICK, "rehearsal.weight=2"), status=2).output
    assert "rehearsal.weight=1.0, not 2.0" in refused
    assert "engine.steps=6 already" in train(*words, settings=(*QUICK, "engine.steps=4"), status=2).output
    (data / "take9.txt").write_text("the mascot bows\n")
    assert "other clips or captions" in train(*words, settings=QUICK, status=2).output
    assert contents(folder) == made
    settings = (*QUICK, "engine.steps=8", "rehearsal.weight=2")
    assert "finished after step 8" in train(*words, settings=settings).output
    assert "the mascot bows" in (folder / "CARD.md").read_text()
    assert json.loads((folder / "config.json").read_text())["rehearsal"]["weight"] == 2


def test_what_to_try_can_be_pasted(train: Train, run_folder, studio, tmp_path):
    data, folder = tmp_path / "data", tmp_path / "our $models"
    data.mkdir()
    Motion(person(40), 20.0, caption='it says "hello" for $5').save(data / "a.npz")
    output = train("finetune", "--from", run_folder, "--data", data, "-o", folder, settings=QUICK).output
    (line,) = (line for line in output.splitlines() if line.startswith("Try it: "))
    assert shlex.split(line)[2:] == [
        "videomdm", "generate", 'it says "hello" for $5', "--model", str(folder),
    ]  # fmt: skip


def test_a_model_made_here_is_named_like_its_folder(train: Train, run_folder, studio, tmp_path, monkeypatch):
    (tmp_path / "mascot").mkdir()
    monkeypatch.chdir(tmp_path / "mascot")
    train("finetune", "--from", run_folder, "--data", studio, "-o", ".", settings=QUICK)
    assert load_adapter(Path("adapter.safetensors"))[1]["name"] == "mascot"


def meaning(prompts) -> set[str]:
    return set().union(*map(rehearsal._meaning, prompts))


def test_prompts_that_measure_are_other_actions_than_those_that_are_kept():
    assert not meaning(rehearsal.HELD_PROMPTS) & meaning(rehearsal.PROMPTS)
    assert not rehearsal._meaning("a person is walking") ^ rehearsal._meaning("someone walks")
    own = ("The mascot swims across.", "a golf player, swinging", "A person waves.")
    measured = rehearsal.unrelated(own)
    assert set(rehearsal.HELD_PROMPTS) - set(measured) == {"someone swims", "a man swings a golf club"}
    assert rehearsal.unrelated(rehearsal.HELD_PROMPTS) != ()
    assert set(rehearsal.PROMPTS) - set(rehearsal.rehearsed(own)) == {"a person waves"}
    assert rehearsal.rehearsed(rehearsal.PROMPTS) == rehearsal.PROMPTS


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_model_that_is_its_base_has_forgotten_nothing(run_folder, precision):
    """In the precision of the training: the base's own rounding is nothing to unlearn."""
    from videomdm.diffusion.schedule import cosine
    from videomdm.model.text import text_encoder

    base, words, cpu = Base.load(str(run_folder)), CaptionTable(), torch.device("cpu")
    add_prompts(words)
    words.encode(text_encoder(), cpu)
    config = rehearsal.RehearsalConfig(clips=4, batch=2)
    kept = rehearsal.Rehearsal(base.network.eval(), words, cosine(50), config, 0.1, 0, precision)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        assert float(kept.loss(base.network, torch.Generator().manual_seed(0))) == 0.0
    same = rehearsal.forgetting(base.network, base.network, words, base.normalisation, cosine(50))
    assert same.moved == 0.0 < 0.001 < same.seeds


def test_training_through_merged_weights_is_what_loading_merges(run_folder, tuned):
    base = Base.load(str(run_folder))
    adapter, _ = load_adapter(tuned / "adapter.safetensors")
    training = AdaptedDenoiser(base.network, adapter.config)
    training.adapter.load_state_dict(adapter.state_dict())
    x, t = torch.randn(2, 8, 263, generator=torch.Generator().manual_seed(0)), torch.tensor([3, 40])
    text = torch.zeros(2, 1, STATE), torch.zeros(2, 1, dtype=torch.bool)
    loaded = load_denoiser(tuned).network
    with torch.no_grad():
        assert torch.allclose(training(x, t, *text), loaded(x, t, *text), atol=1e-6)
    assert {name.split(".")[0] for name, _ in training.named_parameters()} == {"adapter"}


def test_footage_supervises_in_2d_also_beside_clips(train: Train, run_folder, studio, tmp_path):
    data = tmp_path / "seen"
    data.mkdir()
    for number in range(2):
        keypoints_of(person(50, walking=1.0, phase=number)).save(data / f"walk{number}.json")
        (data / f"walk{number}.txt").write_text("the mascot walks\n")
    words = ("finetune", "--from", run_folder, "--data", data, "-o")
    train(*words, tmp_path / "seen_only", settings=(*QUICK, "engine.steps=2"))
    shutil.copy(studio / "take0.npz", data)
    train(*words, tmp_path / "both", settings=(*QUICK, "engine.steps=2"))
    for name, clips in (("seen_only", 2), ("both", 3)):
        assert {"position", "velocity", "alignment"} <= log(tmp_path / name)[-1].keys()
        meta = load_adapter(tmp_path / name / "adapter.safetensors")[1]
        assert (meta["supervision"], meta["clips"]) == ("2d", clips)


def test_a_folder_of_footage_is_read_as_other_training_reads_it(run_folder, tmp_path, caplog):
    """Held-out clips do not train, foreign teachers come before the lifter, and nothing is dropped in silence."""
    walk = person(60, walking=1.0)
    for name in ("a", "b", "c"):
        keypoints_of(walk).save(tmp_path / f"{name}.json")
    table = tmp_path / "captions.csv"
    table.write_text("file,caption,split\na,walks,train\nb,strolls,val\nc,runs,test\n")
    base = Base.load(str(run_folder))
    config = FinetuneConfig(engine=EngineConfig(accelerator="cpu"), mirror=False, align_teacher=False)
    alone = gather(tmp_path, base, config)
    assert (alone.captions, alone.clips, alone.seconds) == (("walks",), 1, 3.0)
    (tmp_path / "lifted").mkdir()
    Motion(walk, 20.0).save(tmp_path / "lifted" / "a.npz")
    taught = gather(tmp_path, base, config).supervision.clips.frames["teacher"]
    true = encode(torch.from_numpy(walk).float())
    lifted = alone.supervision.clips.frames["teacher"]
    assert float((taught[:, 4:67] - true[:, 4:67]).abs().mean()) < 0.03
    assert float((lifted[:, 4:67] - true[:, 4:67]).abs().mean()) > 0.06
    table.write_text("file,caption,split\na,walks,val\nb,strolls,val\nc,runs,test\n")
    with pytest.raises(UserError, match="held out"):
        gather(tmp_path, base, config)
    table.unlink()
    Motion(walk, 20.0, caption="walks").save(tmp_path / "d.npz")
    assert gather(tmp_path, base, config).clips == 1
    assert {"a", "b", "c"} <= {
        Path(record.args[0]).stem for record in caplog.records if "left out" in record.msg
    }


def test_clips_are_read_as_they_were_written(studio, tmp_path):
    clips = {clip.name: clip for clip in read_clips(studio)}
    assert len(clips) == 10 and clips["take9.bvh"].captions == (CAPTION, "hello there")
    assert clips["take9.bvh"].motion.fps == 20.0 and len(clips["take9.bvh"].motion) == 40
    height = np.ptp(clips["take9.bvh"].motion.positions[0, :, 1])
    assert height == pytest.approx(np.ptp(person(60, waving=0.4)[0, :, 1]), abs=0.1)
    Motion(person(450, walking=1.0), 20.0, caption="a long walk").save(tmp_path / "long.npz")
    pieces = read_clips(tmp_path)
    assert [len(piece.motion) for piece in pieces] == [150, 150, 150]
    write_bvh(tmp_path / "metres.bvh", Motion(person(40, waving=0.4), 20.0), scale=1.0)
    (tmp_path / "metres.txt").write_text("stands")
    assert np.ptp(read_clips(tmp_path)[-1].motion.positions[0, :, 1]) == pytest.approx(height, abs=0.1)


@pytest.mark.parametrize(("scale", "factor"), [(1.0, 1.0), (100.0, 1.0), (100.0, 0.6), (1.0, 1.4)])
def test_the_size_of_a_figure_is_told_by_its_bones(tmp_path, scale, factor):
    """Somebody who lies on the floor has no height, and a child and a giant are people, too."""
    lying = factor * person(40, waving=0.4)[..., [0, 2, 1]] * [1.0, 1.0, -1.0]
    write_bvh(tmp_path / "lies.bvh", Motion(lying.astype(np.float32), 20.0), scale=scale)
    (tmp_path / "lies.txt").write_text("lies on the floor")
    (clip,) = read_clips(tmp_path)
    assert np.ptp(clip.motion.positions[0, :, 1]) < 0.5
    assert np.allclose(clip.motion.positions, lying, atol=0.01 * factor)
    write_bvh(tmp_path / "lies.bvh", Motion(lying.astype(np.float32), 20.0), scale=1e4)
    with pytest.raises(UserError, match="no person's size"):
        read_clips(tmp_path)


def test_what_cannot_be_used_is_said_and_nothing_is_written(
    train: Train, run_folder, studio, tuned, tmp_path
):
    out, data = tmp_path / "out", tmp_path / "data"
    words = ("finetune", "--from", run_folder, "-o", out, "--data")

    def said(folder: Path, **more) -> str:
        return train(*words, folder, settings=QUICK, status=2, **more).output

    assert "no folder" in said(data)
    data.mkdir()
    assert "no clips" in said(data)
    clip = data / "a.npz"
    Motion(person(40), 20.0).save(clip)
    assert "no caption" in said(data) and "a.txt" in said(data)
    Motion(person(10), 20.0, caption="x").save(clip)
    assert "0.50 seconds only" in said(data)
    clip.write_bytes(b"no clip")
    assert "not a readable" in said(data)
    clip.unlink()
    (data / "b.bvh").write_text("HIERARCHY nonsense")
    assert "b.bvh" in said(data)
    assert not out.exists()
    from_adapter = ("finetune", "--from", tuned, "-o", out, "--data", studio)
    assert "itself an adapter" in train(*from_adapter, settings=QUICK, status=2).output
    other = train(*words[:3], "-o", tuned, "--data", studio, settings=(*QUICK, "method=full"), status=2)
    assert "another method" in other.output
    wrong = train(*words, studio, settings=(*QUICK, "rehearsal.weight=-1"), status=2)
    assert "negative" in wrong.output
    assert not out.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"base": 3}'])
def test_a_folder_with_a_damaged_configuration_is_kept(run_folder, tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match="damaged") as refused:
        refuse_other_folder(tmp_path, Base.load(str(run_folder)))
    assert "another folder" in refused.value.advice
