"""What `bdmm serve` refuses before it serves; tests/serve has the rest."""

import builtins
import fcntl
import socket
import sys

import pytest


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "65536"], "The port is 65536; it must lie between 0 and 65535."),
        (["--queue", "0"], "--queue is 0; it must be above 0."),
        (["--memory-gib", "-1"], "--memory-gib is -1; it must be above 0."),
        (["--job-minutes", "nan"], "--job-minutes is nan; it must be above 0."),
        (["--token-file", "no.txt"], "no.txt does not exist"),
        (["--token-file", "short.txt"], "must be one line of at least 16 characters"),
    ],
)
def test_options_that_cannot_be(bdmm, tmp_path, options, said):
    pytest.importorskip("fastapi", reason="needs the extra serve")
    (tmp_path / "short.txt").write_text("secret\n")
    outcome = bdmm("serve", "--folder", "jobs", *options)
    assert outcome.code == 2
    assert said in outcome.sentence
    assert outcome.new_files == set()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.1", "::", "example.org"])
def test_others_need_a_token(bdmm, host):
    pytest.importorskip("fastapi", reason="needs the extra serve")
    pytest.importorskip("gradio", reason="needs the extra serve")
    outcome = bdmm("serve", "--folder", "jobs", "--host", host)
    assert outcome.code == 2
    assert f"At {host} others reach the server: give --token-file FILE" in outcome.sentence
    assert outcome.new_files == set()


def test_without_the_extra_packages_one_sentence_says_which(bdmm, monkeypatch):
    real = builtins.__import__

    def without(name: str, *arguments):
        if name.split(".")[0] == "uvicorn":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    for name in [one for one in sys.modules if one.split(".")[0] == "uvicorn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "bdmm.serve.server", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    outcome = bdmm("serve", "--folder", "jobs")
    assert outcome.code == 2
    assert outcome.sentence == (
        "bdmm serve needs the package uvicorn: run pip install 'bdmm[serve]'."
    )


def test_two_servers_on_one_folder(bdmm, tmp_path):
    pytest.importorskip("gradio", reason="needs the extra serve")
    (tmp_path / "jobs").mkdir()
    with (tmp_path / "jobs" / ".lock").open("w") as held:
        held.write("123")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        outcome = bdmm("serve", "--folder", "jobs", "--port", "0")
    assert outcome.code == 2
    assert "Another run (process 123) is writing into" in outcome.sentence


def test_an_address_that_is_taken(bdmm, tmp_path):
    pytest.importorskip("gradio", reason="needs the extra serve")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        outcome = bdmm("serve", "--folder", "jobs", "--port", str(port))
    assert outcome.code == 2
    assert outcome.sentence == (
        f"The address 127.0.0.1:{port} cannot be used: address already in use."
    )
