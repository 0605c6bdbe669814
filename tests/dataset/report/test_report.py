"""The page: its numbers are the statistics', it plays and filters in a browser, and no dataset can break it."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset, se3
from syngrasp.cli import run
from syngrasp.dataset.report.build import episode_index, render_page, write_report
from syngrasp.dataset.report.gallery import choose, drawn
from tests.dataset.datasets import commit, create, make_dataset, write_shard

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
NASTY = '</script><img src=x onerror="window.broken=1"> & \u2028 "quoted"'


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.S)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install 'syngrasp[test]'"
    )
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium here: make browser installs it where apt-get is")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


class Page:
    """A page in the browser, and what it complains of."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> None:
        self.page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
        self.errors: list[str] = []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.requests: list[str] = []
        self.page.on(
            "request",
            lambda r: self.requests.append(r.url) if not r.url.startswith(("file:", "data:", "blob:")) else None,
        )
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("#overview")

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)


@pytest.fixture(scope="module")
def page(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "report.html"
    write_report(str(small), out, workers=1)
    return out


def test_the_page_holds_the_statistics(small: Path, page: Path) -> None:
    data = data_of(page)
    other = {"throughput": None}
    assert data["stats"] | other == json.loads(json.dumps(dataset.dataset_stats(small))) | other
    assert len(data["gallery"]) == 6
    assert data["about"]["cameras"] == ["front", "side"]
    for told, view in zip(data["gallery"], dataset.open(small).episodes(), strict=True):
        assert (told["instruction"], told["length"]) == (view.line["instruction"], view.length)
        boxes = np.array(told["boxes"], np.float64) * 32
        shown = np.arange(0, view.length, told["step"])
        np.testing.assert_allclose(boxes, view["bbox"][shown][:, :, : len(view.line["objects"])], atol=0.01)
        np.testing.assert_array_equal(told["phase"], view["phase"])


def test_the_drawn_gripper_is_where_the_pose_is() -> None:
    pose = se3.pose7_from_matrix(se3.make(se3.matrix_from_rpy([np.pi, 0.0, 0.4]), [0.5, 0.1, 0.2]))
    K, T = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]), se3.look_at([1.3, 0, 0.6], [0.4, 0, 0.1])
    points = drawn(pose[None], np.array([0.06]), K[None], T[None], 100, 100)[0, 0] * 100
    seen = se3.transform(
        se3.invert(T), se3.transform(se3.matrix_from_pose7(pose), np.array([[0, -0.03, 0], [0, 0.03, 0]]))
    )
    expected = (seen @ K.T)[:, :2] / seen[:, 2:]
    np.testing.assert_allclose(points[[0, 3]], expected, atol=1e-9)
    behind = drawn(pose[None], np.array([0.06]), K[None], se3.look_at([0.0, 0, 0.6], [-1.0, 0, 0.1])[None], 100, 100)
    assert np.isnan(behind).all()


def test_the_gallery_shows_every_category_first(tmp_path: Path) -> None:
    create(tmp_path, shards=4, episodes_per_shard=11)
    for shard in range(4):
        assert commit(tmp_path, write_shard(tmp_path, shard, episodes=10, pictures=False))
    ds = dataset.open(tmp_path)
    categories = {view.line["category"] for view in ds.episodes()}
    chosen = choose(ds, len(categories))
    assert {ds.episode(i).line["category"] for i in chosen} == categories
    assert chosen == choose(ds, len(categories))


def test_the_index_holds_every_episode(small: Path) -> None:
    index = episode_index(dataset.open(small))
    data = gzip.decompress(base64.b64decode(index["packed"]))
    columns = {
        name: np.frombuffer(data, f"<{kind}", index["rows"], 4 * k * index["rows"])
        for k, (name, kind) in enumerate(index["columns"])
    }
    for k, view in enumerate(dataset.open(small).episodes()):
        assert (columns["shard"][k], columns["slot"][k]) == (view.line["shard"], view.line["episode"])
        assert index["uids"][columns["uid"][k]] == view.line["target_uid"]
        assert columns["quality"][k] == np.float32(view.line["grasp"]["quality"])


def test_it_opens_without_a_complaint_and_asks_nobody(browser: Any, page: Path) -> None:
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light")):
        opened = Page(browser, page, width, scheme)
        opened.page.wait_for_selector("#index tbody tr")
        assert opened.errors == []
        assert opened.requests == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        tiles = opened.text("#overview .tiles")
        assert "6\nepisodes" in tiles
        assert "66\nframes" in tiles
        ink = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ink == "rgb(16, 21, 28)") == (scheme == "dark")


def test_episodes_play_and_are_filtered(browser: Any, small: Path, page: Path) -> None:
    opened = Page(browser, page)
    first = opened.page.locator("article.episode").first
    picture = "node => node.querySelector('canvas').toDataURL()"
    opened.page.wait_for_function(
        "document.querySelector('article.episode canvas').getContext('2d').getImageData(20, 20, 1, 1).data[0] > 0"
    )
    still = first.evaluate(picture)
    first.get_by_role("button").click()
    opened.page.wait_for_function("Number(document.querySelector('article.episode input[type=range]').value) >= 2")
    first.get_by_role("button").click()
    assert first.evaluate(picture) != still
    scrub = first.locator("input[type=range]")
    scrub.evaluate("node => { node.value = 0; node.dispatchEvent(new Event('input')); }")
    assert first.evaluate(picture) == still
    scrub.evaluate("node => { node.value = node.max; node.dispatchEvent(new Event('input')); }")
    for toggle in ("boxes", "goal", "hand"):
        before = first.evaluate(picture)
        opened.page.click(f"#show-{toggle}")
        assert first.evaluate(picture) != before, toggle
    category = dataset.open(small).episode(0).line["category"]
    count = sum(view.line["category"] == category for view in dataset.open(small).episodes())
    opened.page.select_option("#gallery-category", category)
    assert opened.page.locator("article.episode:visible").count() == count
    assert opened.text("#gallery-count") == f"{count} of 6 episodes"
    opened.page.select_option("#gallery-category", "")
    opened.page.fill("#gallery-find", dataset.open(small).episode(3).line["target_uid"])
    assert 1 <= opened.page.locator("article.episode:visible").count() < 6
    first = opened.page.locator("article.episode:visible").first
    first.locator("summary").click()
    first.locator("code").wait_for()
    assert "syngrasp view" in first.inner_text()
    assert opened.errors == []


def test_a_hundred_thousand_episodes(browser: Any, page: Path, tmp_path: Path) -> None:
    data = data_of(page)
    rows, random = 100_000, np.random.default_rng(0)
    columns = {
        "shard": np.arange(rows) // 100, "slot": np.arange(rows) % 100, "category": random.integers(0, 240, rows),
        "uid": random.integers(0, 10_000, rows), "length": random.integers(60, 140, rows),
        "objects": random.integers(4, 9, rows), "attempt": random.integers(0, 9, rows),
        "quality": random.uniform(0, 1, rows), "lift": random.normal(0.12, 0.002, rows),
    }  # fmt: skip
    kinds = {name: "f4" if name in ("quality", "lift") else "i4" for name in columns}
    packed = gzip.compress(b"".join(v.astype("<" + kinds[n]).tobytes() for n, v in columns.items()))
    data["index"] = {
        "rows": rows, "of": rows, "columns": [[n, k] for n, k in kinds.items()],
        "categories": [f"category {k}" for k in range(240)], "uids": [f"object-{k:05d}" for k in range(10_000)],
        "packed": base64.b64encode(packed).decode(),
    }  # fmt: skip
    (tmp_path / "large.html").write_text(render_page(data))
    assert (tmp_path / "large.html").stat().st_size < 8e6
    opened = Page(browser, tmp_path / "large.html")
    opened.page.wait_for_function("document.querySelector('#index-count').textContent.startsWith('100,000')")
    box = opened.page.locator(".virtual")
    box.evaluate("node => { node.scrollTop = node.scrollHeight; }")
    opened.page.wait_for_function(
        "document.querySelector('#index tbody').lastElementChild.children[0].textContent === '999'"
    )
    assert opened.page.locator("#index tbody tr").count() < 60
    opened.page.fill("#index-find", "category 17")
    wanted = np.isin(columns["category"], [17, *range(170, 180)])
    assert opened.text("#index-count") == f"{wanted.sum():,} of 100,000 episodes"
    opened.page.fill("#index .tools input[type=number]", "0.9")
    assert opened.text("#index-count") == f"{(wanted & (columns['quality'] >= 0.9)).sum():,} of 100,000 episodes"
    opened.page.get_by_role("button", name="quality").click()
    shown = [float(t) for t in opened.page.locator("#index tbody tr td:nth-child(8)").all_inner_texts()]
    assert shown == sorted(shown)
    took = opened.page.evaluate(
        "() => { const box = document.querySelector('.virtual'), start = performance.now();"
        " for (let k = 0; k < 50; k += 1) { box.scrollTop = 400 * k; box.dispatchEvent(new Event('scroll')); }"
        " return document.querySelectorAll('#index tbody tr').length; }"
    )
    assert 10 < took < 60
    assert opened.errors == []


def test_nothing_in_a_dataset_breaks_the_page(browser: Any, page: Path, tmp_path: Path) -> None:
    text = json.dumps(data_of(page))
    uid = data_of(page)["gallery"][0]["uid"]
    data = json.loads(text.replace(json.dumps(uid)[1:-1], json.dumps(NASTY)[1:-1]))
    data["gallery"][0]["instruction"] = NASTY
    data["stats"]["licenses"] = {NASTY: 3}
    data["attribution"]["rows"][0] = [NASTY] * 4
    data["about"]["name"] = NASTY
    (tmp_path / "nasty.html").write_text(render_page(data))
    opened = Page(browser, tmp_path / "nasty.html")
    opened.page.wait_for_selector("#index tbody tr")
    assert opened.errors == []
    assert opened.page.evaluate("window.broken") is None
    assert opened.page.locator("img").count() == 0
    assert '<img src=x onerror="window.broken=1">' in opened.text("h1")


def test_pages_of_whatever_is_stored(browser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create(tmp_path / "empty")
    create(tmp_path / "plain", shards=1)
    assert commit(tmp_path / "plain", write_shard(tmp_path / "plain", 0, pictures=False))
    make_dataset(tmp_path / "one", shards=1, episodes=1, extras=False)
    for name, said in (
        ("empty", "Nothing is committed yet."),
        ("plain", "Not stored: occlusion, truncated."),
        ("one", "1\nepisodes"),
    ):
        out = tmp_path / f"{name}.html"
        assert run(["report", str(tmp_path / name), "--out", str(out), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["bytes"] == out.stat().st_size
        opened = Page(browser, out)
        opened.page.wait_for_timeout(200)
        assert opened.errors == []
        assert said in opened.text("#overview")


def test_what_verify_found_is_shown(
    browser: Any, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(small), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    told |= {"ok": False, "problem_count": 2, "kinds": {"teleport": 2}}
    told["problems"] = [{"shard": 0, "episode": 1, "array": "ee_pose", "what": "jumps by 2 m"}]
    (tmp_path / "verified.json").write_text(json.dumps(told))
    out = tmp_path / "out.html"
    assert (
        run(["report", str(small), "--out", str(out), "--gallery", "0", "--verify", str(tmp_path / "verified.json")])
        == 0
    )
    opened = Page(browser, out)
    assert "syngrasp verify found 2 problems." in opened.text("#overview")
    assert "jumps by 2 m" in opened.text("#overview")


def test_what_cannot_be_is_one_line(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        ([str(tmp_path)], "there is no dataset here"),
        ([str(small), "--out", "page.txt"], "valid endings: .html, .htm"),
        ([str(small), "--gallery", "-1"], "'--gallery'"),
        ([str(small), "--verify", str(tmp_path / "nothing.json")], "not what syngrasp verify --json prints"),
        ([str(small), "--out", "/proc/nowhere/page.html"], "cannot write /proc/nowhere/page.html"),
    ):
        assert run(["report", *arguments]) == 2
        captured = capsys.readouterr()
        assert said in captured.err
        assert captured.err.count("\n") == 1
