// Episodes that play.
function gallerySection() {
  const episodes = DATA.gallery;
  if (!episodes.length) {
    section("episodes", "Episodes", note(stats.episodes ? "No pictures are stored, or none were asked for." : "There is none yet."));
    return;
  }
  const show = { boxes: true, goal: true, hand: false };
  const list = el("div", { class: "gallery" });
  const categories = [...new Set(episodes.map((e) => e.category))].sort();
  const filter = el("select", { id: "gallery-category", "aria-label": "Category", onchange: draw }, el("option", { value: "", text: "all categories" }), ...categories.map((text) => el("option", { value: text, text })));
  const find = el("input", { type: "search", id: "gallery-find", placeholder: "Find an instruction or object", "aria-label": "Find an instruction or object", oninput: draw });
  const texts = { boxes: "Boxes", goal: "Goal", hand: "Hand" };
  const toggles = Object.entries(texts).map(([key, text]) => el("button", { id: `show-${key}`, "aria-pressed": show[key], text, onclick: (event) => {
    show[key] = !show[key];
    event.currentTarget.setAttribute("aria-pressed", show[key]);
    players.forEach((player) => player.paint());
  } }));
  const all = el("button", { id: "play-all", text: "Play all", onclick: () => {
    const playing = players.some((p) => p.playing && !p.node.hidden);
    players.forEach((p) => p.set(!playing && !p.node.hidden));
    all.textContent = playing ? "Play all" : "Pause all";
  } });
  const speed = el("select", { "aria-label": "Speed" }, ...[["1", "as fast as it was"], ["2", "twice as fast"], ["0.5", "half as fast"]].map(([value, text]) => el("option", { value, text })));
  speed.value = "2";
  const players = episodes.map((episode) => player(episode, show, speed));
  players.forEach((p) => list.append(p.node));
  function draw() {
    const wanted = find.value.trim().toLowerCase();
    players.forEach(({ node, episode, set }) => {
      const text = `${episode.instruction} ${episode.uid} ${episode.objects.map((o) => o[0]).join(" ")}`.toLowerCase();
      node.hidden = (filter.value && episode.category !== filter.value) || !text.includes(wanted);
      if (node.hidden) set(false);
    });
    count.textContent = `${players.filter((p) => !p.node.hidden).length} of ${number(stats.episodes)} episodes`;
  }
  const count = el("span", { class: "note", id: "gallery-count" });
  section("episodes", "Episodes", el("div", { class: "tools" }, find, filter, all, speed, ...toggles, count), list,
    el("p", { class: "key" }, el("span", {}, el("i", { style: "background:#ffd23f" }), "target"), el("span", {}, el("i", { style: "background:#9fb4cc" }), "other objects"), el("span", {}, el("i", { style: "background:#37e08b" }), "goal pose"), el("span", {}, el("i", { style: "background:#ff6bb5" }), "hand")));
  draw();
}

function player(episode, show, speed) {
  const shown = Math.ceil(episode.length / episode.step), cameras = about.cameras.length || 1;
  const height = 176, width = Math.round(height * episode.aspect), strip = 46;
  const canvas = el("canvas", { width: cameras * width, height: height + strip, onclick: () => set(!self.playing) });
  const scrub = el("input", { type: "range", min: 0, max: shown - 1, value: 0, "aria-label": "Frame", oninput: () => { self.frame = Number(scrub.value); paint(); } });
  const button = el("button", { text: "Play", "aria-label": `Play ${episode.instruction}`, onclick: () => set(!self.playing) });
  const where = el("output");
  const details = el("details", {}, el("summary", { text: "Details" }));
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    details.append(el("dl", {}, ...episode.facts.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: value })])),
      grid(["object", "category", "licence"], episode.objects.map((o) => o.slice(0, 3)), [0]),
      el("p", {}, el("code", { text: `syngrasp view ${about.url} --shard ${episode.shard} --slot ${episode.slot}` })));
  }, { once: true });
  const node = el("article", { class: "card episode" }, canvas, el("div", { class: "play" }, button, scrub, where),
    el("div", { class: "text" }, el("p", { class: "what", text: episode.instruction }),
      el("p", { class: "who" }, el("span", { text: episode.uid, title: episode.uid }), el("span", { text: `${episode.category} · ${episode.shard}/${episode.slot}` })), details));
  const picture = new Image();
  picture.src = episode.sheet;
  picture.onload = () => paint();
  const self = { node, episode, frame: 0, playing: false, paint, set };
  let last = 0;

  function set(playing) {
    if (playing && !self.playing) { last = 0; requestAnimationFrame(tick); }
    self.playing = playing;
    button.textContent = playing ? "Pause" : "Play";
  }

  function tick(now) {
    if (!self.playing) return;
    const wait = (1000 * episode.dt * episode.step) / Number(speed.value);
    if (!last) last = now;
    if (now - last >= wait) {
      last = now;
      self.frame = (self.frame + 1) % shown;
      paint();
    }
    requestAnimationFrame(tick);
  }

  function paint() {
    const pen = canvas.getContext("2d"), k = self.frame, at = Math.min(k * episode.step, episode.length - 1);
    scrub.value = k;
    where.textContent = `${PHASES[episode.phase[at]] || "–"} ${(at * episode.dt).toFixed(1)} s`;
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    if (picture.complete && picture.naturalWidth) pen.drawImage(picture, (k % 6) * cameras * width, Math.floor(k / 6) * height, cameras * width, height, 0, 0, cameras * width, height);
    for (let c = 0; c < cameras; c += 1) {
      pen.save();
      pen.beginPath();
      pen.rect(c * width, 0, width, height);
      pen.clip();
      pen.translate(c * width, 0);
      if (show.boxes && episode.boxes) episode.boxes[k][c].forEach((box, i) => {
        if (box[0] === null) return;
        pen.strokeStyle = i === episode.target ? "#ffd23f" : "#9fb4cc";
        pen.lineWidth = i === episode.target ? 2 : 1;
        pen.strokeRect(box[0] * width, box[1] * height, (box[2] - box[0]) * width, (box[3] - box[1]) * height);
      });
      if (show.goal && episode.goal) gripper(pen, episode.goal[k][c], "#37e08b");
      if (show.hand && episode.hand) gripper(pen, episode.hand[k][c], "#ff6bb5");
      pen.restore();
    }
    series(pen, at);
  }

  function gripper(pen, points, colour) {
    if (points.some((p) => p[0] === null)) return;
    const to = ([u, v]) => [u * width, v * height];
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(...to(points[0]));
    [1, 2, 3].forEach((i) => pen.lineTo(...to(points[i])));
    pen.moveTo(...to(points[4]));
    pen.lineTo(...to(points[5]));
    pen.stroke();
  }

  function series(pen, at) {
    const W = canvas.width, top = height, x = (f) => (W * f) / Math.max(1, episode.length - 1);
    pen.fillStyle = "#0d1218";
    pen.fillRect(0, top, W, strip);
    episode.open.forEach((isOpen, f) => { if (!isOpen) { pen.fillStyle = "#24303d"; pen.fillRect(x(f - 0.5), top, x(1) + 0.5, strip); } });
    const line = (values, most, colour) => {
      pen.strokeStyle = colour;
      pen.lineWidth = 1.5;
      pen.beginPath();
      values.forEach((v, f) => pen[f ? "lineTo" : "moveTo"](x(f), top + strip - 4 - (strip - 22) * Math.min(1, v / most)));
      pen.stroke();
    };
    line(episode.speed, Math.max(...episode.speed, 1e-6), "#6ea2f5");
    if (episode.width) line(episode.width, Math.max(...episode.width, 1e-6), "#e3b04f");
    pen.fillStyle = "#cdd7e2";
    pen.font = "10px system-ui, sans-serif";
    pen.fillText("speed", 5, top + 11);
    pen.fillStyle = "#e3b04f";
    if (episode.width) pen.fillText("gripper", 40, top + 11);
    pen.strokeStyle = "#fff";
    pen.beginPath();
    pen.moveTo(x(at), top);
    pen.lineTo(x(at), top + strip);
    pen.stroke();
  }
  return self;
}
