import socket

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from bdmm.serve.settings import MIB, Limits

TOKEN = "a long and random text"


def test_without_the_token_nothing_but_health_is_told(serving):
    server = serving(works=False, token=TOKEN)
    assert server.client.get("/healthz").status_code == 200
    for path in ("/metrics", "/openapi.json", "/v1/motions", "/v1/animations/x", "/"):
        answer = server.client.get(path)
        assert answer.status_code == 401, path
        assert answer.json() == {"detail": "The token is missing or wrong."}
    assert server.send().status_code == 401
    assert "Basic" in server.client.get("/").headers["www-authenticate"]


@pytest.mark.parametrize("given", ["x", TOKEN + "x", TOKEN[:-1], "Ünicode"])
def test_a_wrong_token(serving, given):
    server = serving(works=False, token=TOKEN)
    header = {"authorization": f"Bearer {given}".encode()}
    assert server.client.get("/v1/motions", headers=header).status_code == 401
    assert server.client.get("/v1/motions", auth=("me", given)).status_code == 401


def test_the_token_as_bearer_and_as_password(serving):
    server = serving(works=False, token=TOKEN)
    header = {"authorization": f"Bearer {TOKEN}"}
    assert server.client.get("/v1/motions", headers=header).status_code == 200
    assert server.client.get("/v1/motions", auth=("anybody", TOKEN)).status_code == 200
    broken = {"authorization": "Basic !!"}
    assert server.client.get("/v1/motions", headers=broken).status_code == 401


def test_other_names_and_other_sites(serving):
    server = serving(works=False)
    for host in ("evil.example", "127.0.0.1.evil.example", "[", ""):
        assert server.client.get("/healthz", headers={"host": host}).status_code == 403, host
    assert server.client.get("/healthz", headers={"host": "localhost:1"}).status_code == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        answer = server.client.post("/v1/animations", headers={"origin": origin})
        assert answer.status_code == 403, origin
    own = server.client.post("/v1/animations", headers={"origin": server.address})
    assert own.status_code == 422


def test_bodies_that_are_too_large(serving):
    server = serving(works=False, limits=Limits(upload_bytes=MIB))
    video = b"\0\0\0 ftyp" + bytes(2 * MIB)
    answer = server.send(files=[("photos", ("me.jpg", b"\xff\xd8\xff")), ("driving", video)])
    assert answer.status_code == 413
    assert answer.json()["detail"] == "The files have more than 1 MiB together: send smaller ones."

    def pieces():
        yield b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
        for _ in range(32):
            yield bytes(MIB // 16)

    kind = {"content-type": "multipart/form-data; boundary=x"}
    answer = server.client.post("/v1/animations", content=pieces(), headers=kind)
    assert answer.status_code == 413
    assert server.client.get("/healthz").json()["queued"] == 0


def test_a_length_that_is_no_number(serving):
    server = serving(works=False)
    host, port = server.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(
            b"POST /v1/animations HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: -1\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 4")
