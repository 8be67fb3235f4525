import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from bdmm.files import output_file
from bdmm.media.shipped_motions import shipped_motions
from bdmm.serve import crew as crews
from bdmm.serve.jobs import Kind, State
from bdmm.serve.settings import Limits

JPEG = b"\xff\xd8\xff\xe0 and nothing that can be decoded"
BROKEN = [("photos", ("me.jpg", JPEG))]


def test_a_job_is_accepted_asked_after_and_cancelled(serving, tmp_path):
    server = serving(works=False)
    answer = server.send(options='{"preset": "fast", "size": 64}')
    job = answer.json()
    assert (answer.status_code, job["state"], job["position"]) == (202, "queued", 0)
    assert answer.headers["location"] == job["links"]["self"] == f"/v1/animations/{job['id']}"
    assert server.send().json()["position"] == 1
    assert server.client.get(job["links"]["self"]).json() == job
    assert server.client.get(f"{job['links']['self']}/video").status_code == 404
    assert server.client.get(f"/v1/inspections/{job['id']}").status_code == 404
    cancelled = server.client.delete(job["links"]["self"]).json()
    assert cancelled["state"] == "cancelled"
    assert not (tmp_path / "jobs" / job["id"]).exists()
    assert server.client.get("/healthz").json()["queued"] == 1


@pytest.mark.slow
def test_a_picture_that_is_none_fails_its_job_in_one_sentence(serving):
    server = serving()
    sent = server.client.post("/v1/inspections", files={"photo": ("me.jpg", JPEG)}).json()
    job = server.ended(sent["id"], "inspections")
    assert job["state"] == "failed"
    assert "me.jpg" in job["message"]
    assert "/" not in job["message"]
    assert server.client.get("/healthz").json()["running"] == 0


@pytest.mark.parametrize(
    ("parts", "status", "said"),
    [
        ({"motion": "fly"}, 422, "no shipped motion 'fly'; there are dance,"),
        ({"options": '{"size": 65}'}, 422, "The size is 65; it must be an even number"),
        ({"options": '{"sizes": 64}'}, 422, "The field options.sizes is wrong: Extra inputs"),
        ({"options": '{"size": "x"}'}, 422, "The field options.size is wrong: Input should be"),
        ({"options": "{"}, 422, "The field options is wrong: Invalid JSON"),
        ({"files": [("photos", ("me.txt", JPEG))]}, 415, "The photo me.txt has no known file"),
        ({"files": [("photos", ("me.jpg", b"GIF89a"))]}, 415, "is not what its name says"),
        ({"files": BROKEN * 9}, 422, "9 photos were sent; 8 can be used."),
        ({"files": [*BROKEN, ("driving", ("a.mp4", b"#EXTM3U"))]}, 422, "Give either a driving"),
        ({"files": [*BROKEN, ("driving", ("a.mp4", b"#EXTM3U"))], "motion": []}, 415, "a.mp4"),
    ],
)
def test_mistakes_are_told_at_once(serving, tmp_path, parts, status, said):
    server = serving(works=False)
    answer = server.send(**parts)
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert list((tmp_path / "jobs").iterdir()) == []
    assert list((tmp_path / "arriving").iterdir()) == []


def test_requests_that_are_incomplete(serving):
    client = serving(works=False).client
    assert client.post("/v1/animations", data={"motion": "wave"}).json() == {
        "detail": "The field photos is wrong: Field required."
    }
    assert client.post("/v1/animations", files=dict(BROKEN)).status_code == 422
    assert client.post("/v1/animations", content=b"{}").status_code == 422
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/v1/animations", content=b"--y", headers=kind).status_code in (400, 422)


@pytest.mark.parametrize("identity", ["x", "..", "%2e%2e%2fjobs.sqlite", "a" * 5000, "%00"])
def test_numbers_that_are_none(serving, identity):
    client = serving(works=False).client
    for path in (f"/v1/animations/{identity}", f"/v1/animations/{identity}/video"):
        assert client.get(path).status_code == 404
    assert client.delete(f"/v1/animations/{identity}").status_code in (404, 405)


def test_names_with_paths_in_them_stay_in_the_jobs_folder(serving, tmp_path):
    server = serving(works=False)
    gif = b"GIF89a" + bytes(10)
    files = [("photos", ("../../../a.jpg", JPEG)), ("driving", ("..\\a.gif", gif))]
    sent = server.send(files=files, motion=[])
    folder = tmp_path / "jobs" / sent.json()["id"]
    assert {path.name for path in folder.iterdir()} == {"a.jpg", "a.gif", "result"}
    assert not (tmp_path / "a.jpg").exists()


def test_a_full_queue_is_told_with_the_time_to_wait(serving):
    server = serving(works=False, queue=2)
    assert [server.send().status_code for _ in range(4)] == [202, 202, 429, 429]
    answer = server.send()
    assert answer.json() == {"detail": "The queue is full: try again later."}
    assert int(answer.headers["retry-after"]) > 0
    assert server.client.get("/healthz").json()["queued"] == 2


def test_a_hundred_cancels(serving, tmp_path):
    server = serving(queue=100)
    sent = [server.send().json()["links"]["self"] for _ in range(20)]
    with ThreadPoolExecutor(10) as threads:
        states = list(threads.map(lambda path: server.client.delete(path).json(), sent * 5))
    assert {one["state"] for one in states} <= {"cancelled", "failed"}
    until = time.monotonic() + 30
    while list((tmp_path / "jobs").iterdir()) and time.monotonic() < until:
        time.sleep(0.1)
    assert list((tmp_path / "jobs").iterdir()) == []
    assert server.crew.store.counts().get((Kind.ANIMATION, State.QUEUED), 0) == 0


def test_what_has_expired_is_gone(serving, tmp_path):
    server = serving(keep_seconds=0.3)
    job = server.send(files=BROKEN, motion="wave").json()
    server.client.delete(job["links"]["self"])
    until = time.monotonic() + 30
    while server.client.get(job["links"]["self"]).status_code == 200 and time.monotonic() < until:
        time.sleep(0.1)
    answer = server.client.get(job["links"]["self"])
    assert answer.status_code == 404
    assert "they are kept for 8.33e-05 hours" in answer.json()["detail"]
    assert list((tmp_path / "jobs").iterdir()) == []


@pytest.mark.slow
def test_a_restart_loses_nothing_and_sweeps_what_never_was_a_job(tmp_path, serving):
    server = serving(works=False)
    job = server.send().json()
    claimed = server.crew.store.claim(Kind.ANIMATION)
    assert claimed is not None
    (tmp_path / "jobs" / "no_job").mkdir()
    (tmp_path / "arriving" / "half").mkdir()
    again = serving()
    ended = again.ended(job["id"])
    assert ended["state"] == "failed"  # of its own fault: it is no picture
    assert "me.jpg" in ended["message"]
    assert again.crew.store.get(job["id"]).attempts == 2
    assert not (tmp_path / "jobs" / "no_job").exists()
    assert list((tmp_path / "arriving").iterdir()) == []


def test_a_full_disk_is_told(serving, monkeypatch, tmp_path):
    server = serving(works=False)
    free = output_file.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(crews.shutil, "disk_usage", lambda _: free)
    answer = server.send()
    assert answer.status_code == 507
    assert answer.json() == {"detail": "The server's disk is full: try again later."}
    monkeypatch.undo()
    full = sqlite3.OperationalError("database or disk is full")
    monkeypatch.setattr(server.crew.store, "add", lambda *_: (_ for _ in ()).throw(full))
    assert server.send().status_code == 507
    assert list((tmp_path / "jobs").iterdir()) == []
    monkeypatch.undo()
    assert server.send().status_code == 202


def test_a_crash_ends_its_job_alone(serving):
    server = serving(limits=Limits(memory_bytes=60 * 2**20))
    sent = [server.send().json()["id"] for _ in range(2)]
    for identity in sent:
        assert "needed more than 0.0586 GiB of memory" in server.ended(identity)["message"]
    assert server.client.get("/healthz").json() == {
        "status": "ok", "version": "0.1.0", "queued": 0, "running": 0,
    }  # fmt: skip


def test_motions_and_their_previews(serving):
    client = serving(works=False).client
    motions = client.get("/v1/motions").json()
    assert [one["name"] for one in motions] == list(shipped_motions())
    for one in motions:
        preview = client.get(one["preview"])
        assert preview.headers["content-type"] == "video/mp4"
        assert preview.content[4:8] == b"ftyp"
    assert client.get("/v1/motions/fly/preview").status_code == 404


def test_metrics_are_those_of_the_jobs(serving):
    server = serving(works=False)
    server.send()
    text = server.client.get("/metrics").text
    assert 'bdmm_jobs{kind="animation",state="queued"} 1.0' in text
    assert "process_resident_memory_bytes" in text


def test_the_description_names_what_can_happen(serving):
    described = serving(works=False).client.get("/openapi.json").json()
    paths = described["paths"]
    assert {path for path in paths if path.startswith("/v1")} == {
        "/v1/animations",
        "/v1/animations/{identity}",
        "/v1/animations/{identity}/driving",
        "/v1/animations/{identity}/motion",
        "/v1/animations/{identity}/model",
        "/v1/animations/{identity}/sheet",
        "/v1/animations/{identity}/video",
        "/v1/inspections",
        "/v1/inspections/{identity}",
        "/v1/inspections/{identity}/seen",
        "/v1/motions",
        "/v1/motions/{name}/preview",
    }
    sending = paths["/v1/animations"]["post"]
    assert set(sending["responses"]) == {"202", "413", "415", "422", "429", "507"}
    form = sending["requestBody"]["content"]["multipart/form-data"]["schema"]["$ref"]
    fields = described["components"]["schemas"][form.rpartition("/")[2]]
    assert fields["required"] == ["photos"]
    assert set(fields["properties"]) == {"photos", "driving", "motion", "options"}
    video = paths["/v1/animations/{identity}/video"]["get"]["responses"]["200"]["content"]
    assert "application/json" not in video
