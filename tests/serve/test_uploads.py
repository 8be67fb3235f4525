import pytest

from bdmm.serve.uploads import DRIVING, PHOTO, UnsupportedTypeError, checked_name

JPEG, MP4 = b"\xff\xd8\xff\xe0____________", b"\0\0\0 ftypisom____"
MOTION = b"\x10\x02\0\0\0\0\0\0{_______"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("me.jpg", "me.jpg"),
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("C:\\photos\\me.JPG", "me.JPG"),
        ("-rf.jpg", "_-rf.jpg"),
        (".jpg.jpg", "jpg.jpg"),
        ("a b\n\0c.jpg", "a_b__c.jpg"),
        ("Zoë.jpg", "Zoë.jpg"),
        ("x" * 300 + ".webp", None),
    ],
)
def test_names_are_names_of_files_alone(sent, kept):
    if kept is None:
        with pytest.raises(UnsupportedTypeError):
            checked_name(sent, JPEG, PHOTO)
    else:
        assert checked_name(sent, JPEG, PHOTO) == kept


@pytest.mark.parametrize(
    ("name", "first", "accepted"),
    [
        ("dance.mp4", MP4, DRIVING),
        ("dance.MOV", MP4, DRIVING),
        ("dance.webm", b"\x1aE\xdf\xa3____________", DRIVING),
        ("dance.motion", MOTION, DRIVING),
        ("really_a_png.jpg", b"\x89PNG\r\n\x1a\n________", PHOTO),
    ],
)
def test_what_is_accepted(name, first, accepted):
    assert checked_name(name, first, accepted) == name


@pytest.mark.parametrize(
    ("name", "first", "accepted", "said"),
    [
        ("playlist.mp4", b"#EXTM3U\n#EXTINF:", DRIVING, "not what its name says"),
        ("concat.mov", b"ffconcat version", DRIVING, "not what its name says"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:", DRIVING, "no known file type"),
        ("video.jpg", MP4, PHOTO, "not what its name says"),
        ("photo.mp4", JPEG, DRIVING, "not what its name says"),
        ("empty.jpg", b"", PHOTO, "not what its name says"),
        ("params.pkl", b"\x80\x04______________", DRIVING, "no known file type"),
        ("", JPEG, PHOTO, "no known file type"),
        ("no_suffix", JPEG, PHOTO, r"send a file whose name ends in \.jpg, \.jpeg, \.png, \.webp"),
    ],
)
def test_what_is_refused(name, first, accepted, said):
    with pytest.raises(UnsupportedTypeError, match=said):
        checked_name(name, first, accepted)
