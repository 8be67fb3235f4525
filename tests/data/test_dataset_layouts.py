"""Published data sets and plain folders are told apart and listed."""

from pathlib import Path

import pytest

from bdmm.data.dataset_layouts import list_clips
from bdmm.data.prepare import choose_clips
from bdmm.errors import InputError
from bdmm.files.names import is_file_name


def put(root: Path, *names: str, text: str = "") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_fashion_video_in_folders_or_flat(tmp_path: Path) -> None:
    put(tmp_path, "train/91-3003CN5S.mp4", "A1bc.mp4", "test/zz.mp4", "train/unlisted.mp4")
    urls = "https://cdn/x/91-3003CN5S.mp4\n\nhttps://cdn/y/A1bc.mp4?size=1\nhttps://cdn/gone.mp4\n"
    put(tmp_path, "fashion_train.txt", text=urls)
    put(tmp_path, "fashion_test.txt", text="\ufeffhttps://cdn/zz.mp4\r\n")
    listing = list_clips(tmp_path)
    assert listing.layout == "fashion"
    found = {job.name: (job.split, job.media.parent.name) for job in listing.jobs}
    assert found == {
        "91-3003CN5S": ("train", "train"),
        "A1bc": ("train", tmp_path.name),
        "zz": ("test", "test"),
    }
    (missing,) = listing.missing
    assert missing.name == "gone"
    assert "fashion_train.txt names gone.mp4" in missing.reason


def test_the_papers_cut_frames(tmp_path: Path) -> None:
    put(tmp_path, "train/a.mp4/frames/frame_00000.png", "test/b.mp4/frames/frame_00000.png")
    put(tmp_path, "train/a.mp4/kptsmpls/frame_00000.json", "test_list.csv")
    first, second = list_clips(tmp_path).jobs
    assert (first.name, first.split, first.whole) == ("a", "train", True)
    assert first.smpl == tmp_path / "train/a.mp4/kptsmpls"
    assert (second.name, second.split, second.smpl) == ("b", "test", None)


@pytest.mark.parametrize(
    "place", ["iPER_256_video_release/001_1_2.mp4", "images_HD/001/1/2/000.jpg", "001_1_2.mp4"]
)
def test_iper_as_videos_or_frames(tmp_path: Path, place: str) -> None:
    put(tmp_path, place, "smpls/001/1/2/kps.pkl")
    put(tmp_path, "train.txt", text="001/1/2\n099/1/1\n")
    put(tmp_path, "val.txt", text="")
    listing = list_clips(tmp_path)
    (job,) = listing.jobs
    assert (listing.layout, job.name, job.split) == ("iper", "001_1_2", "train")
    assert job.smpl == tmp_path / "smpls/001/1/2/kps.pkl"
    assert job.media.exists()
    assert [one.name for one in listing.missing] == ["099_1_1"]


def test_any_videos_with_poses_beside_them(tmp_path: Path) -> None:
    put(tmp_path, "one.MP4", "deep/er/one.mov", "notes.txt", "cover.jpg", ".hidden/x.mp4")
    put(tmp_path, "one_openpose/one_000_keypoints.json", "deep/er/one_smpl.npz")
    listing = list_clips(tmp_path)
    assert [job.name for job in listing.jobs] == ["deep_er_one", "one"]
    assert listing.jobs[0].smpl == tmp_path / "deep/er/one_smpl.npz"
    assert listing.jobs[1].openpose == tmp_path / "one_openpose"


def test_names_are_told_apart_and_fit_for_folders(tmp_path: Path) -> None:
    put(tmp_path, "a b.mp4", "a_b.mp4", "a_b.mov", "\u00fc?.mp4")
    assert sorted(job.name for job in list_clips(tmp_path).jobs) == [
        "a_b", "a_b-2", "a_b-3", "\u00fc_",
    ]  # fmt: skip


def test_a_single_video(tmp_path: Path) -> None:
    put(tmp_path, "x.mp4")
    assert [job.name for job in list_clips(tmp_path / "x.mp4").jobs] == ["x"]


def test_nothing_to_prepare(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        list_clips(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no videos"):
        list_clips(tmp_path)
    put(tmp_path, "a.jpg")
    with pytest.raises(InputError, match="holds pictures, but no videos"):
        list_clips(tmp_path)
    put(tmp_path, "fashion_train.txt", text="https://x/a.mp4\n")
    with pytest.raises(InputError, match=r"names a\.mp4, which is neither"):
        list_clips(tmp_path)


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "fashion_train.txt").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match=r"fashion_train\.txt cannot be read"):
        list_clips(tmp_path)


def test_a_split_and_a_limit(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.mp4")
    put(tmp_path, "fashion_train.txt", text="a.mp4")
    put(tmp_path, "fashion_test.txt", text="b.mp4")
    assert [job.name for job in choose_clips(tmp_path, "test").jobs] == ["b"]
    assert [job.name for job in choose_clips(tmp_path, limit=1).jobs] == ["a"]
    with pytest.raises(InputError, match="no clips of the split val; it has test, train"):
        choose_clips(tmp_path, "val")
    with pytest.raises(InputError, match="limit"):
        choose_clips(tmp_path, limit=0)


OUTSIDE = ("..", ".", "../..", "/secret", "../secret", "001/../..", "..\\secret", "x" * 400)


@pytest.mark.parametrize("line", OUTSIDE)
def test_a_list_that_leads_out_of_its_data_set(tmp_path: Path, line: str) -> None:
    root = tmp_path / "set"
    put(root, "001_1_1.mp4", "smpls/001/1/1/kps.pkl")
    put(tmp_path, "secret/000.jpg", "secret/kps.pkl", "kps.pkl", "secret.mp4")
    put(root, "train.txt", text=f"001/1/1\n\n{line}\n")
    listing = list_clips(root)
    assert [job.name for job in listing.jobs] == ["001_1_1"]
    assert listing.jobs[0].smpl == root / "smpls/001/1/1/kps.pkl"
    (refused,) = listing.missing
    assert refused.reason.startswith("train.txt, line 3: ")
    assert refused.reason.endswith("is no path inside the data set.")
    assert is_file_name(refused.name)


def test_a_line_of_fashion_without_a_file(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4")
    put(tmp_path, "fashion_train.txt", text="a.mp4\nhttps://cdn/..\nhttps://cdn/\n")
    listing = list_clips(tmp_path)
    assert [job.name for job in listing.jobs] == ["a"]
    assert [one.reason.split(":")[0] for one in listing.missing] == [
        "fashion_train.txt, line 2", "fashion_train.txt, line 3",
    ]  # fmt: skip


def test_nested_entries_keep_their_names(tmp_path: Path) -> None:
    put(tmp_path, "images_HD/more/001/1/1/000.jpg")
    put(tmp_path, "train.txt", text="001/1/1\nmore/001/1/1\n")
    (job,) = list_clips(tmp_path).jobs
    assert (job.name, job.media) == ("more_001_1_1", tmp_path / "images_HD/more/001/1/1")


def test_cut_frames_with_odd_names(tmp_path: Path) -> None:
    put(tmp_path, *(f"train/{name}/frames/frame_00000.png" for name in ("...mp4", ".mp4", "a b")))
    names = [job.name for job in list_clips(tmp_path).jobs]
    assert names == ["a_b", "clip", "clip-2"]


def test_a_numbered_name_that_exists_already(tmp_path: Path) -> None:
    put(tmp_path, "a b.mp4", "a_b.mp4", "a_b-2.mp4")
    names = [job.name for job in list_clips(tmp_path).jobs]
    assert names == ["a_b", "a_b-2", "a_b-2-2"]


def test_a_list_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4")
    with (tmp_path / "fashion_train.txt").open("wb") as file:
        file.truncate(2**23)
    with pytest.raises(InputError, match="at most 4 MiB"):
        list_clips(tmp_path)
