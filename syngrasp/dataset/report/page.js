const DATA = JSON.parse(document.getElementById("data").textContent);
const { stats, about } = DATA;
const main = document.getElementById("main");
const PHASES = ["reach", "close", "lift", "hold", "retreat"];

function section(id, title, ...children) {
  const node = el("section", { id }, el("h2", { text: title }), ...children);
  main.append(node);
  document.getElementById("nav").append(el("a", { href: `#${id}`, text: title }));
  return node;
}

function card(title, ...children) {
  return el("div", { class: "card" }, el("h3", { text: title }), ...children);
}

function note(text) {
  return el("p", { class: "note", text });
}

function head() {
  document.title = `${about.name} – syngrasp report`;
  document.getElementById("over").textContent = "syngrasp dataset report";
  document.getElementById("title").textContent = about.name;
  const from = stats.source ? `, made from ${stats.source.url}` : "";
  document.getElementById("sub").textContent =
    [about.recipe && `recipe ${about.recipe}`, about.robot && `robot ${about.robot}`, about.render && `pictures ${about.render}`, `seed ${stats.seed}`, about.url + from, about.made].filter(Boolean).join(" · ");
  document.getElementById("foot").textContent =
    `Made by syngrasp ${about.syngrasp}` + Object.entries(about.versions).filter(([name]) => name !== "syngrasp").map(([name, version]) => ` · ${name} ${version}`).join("") +
    `. Arrays: ${about.arrays.join(", ") || "none"}.`;
}

function overview() {
  const stages = Object.values(stats.yield);
  const tries = stages.length ? stages[0].passed + Object.values(stages[0].rejected).reduce((a, b) => a + b, 0) : 0;
  const done = stages.length ? stages[stages.length - 1].passed / (tries || 1) : null;
  const tiles = [
    [number(stats.episodes), "episodes"], [number(stats.frames), "frames"], [hours(3600 * stats.hours), "of motion"],
    [number(Object.keys(stats.categories).length), "categories"], [number(stats.objects), "objects"],
    [bytes(stats.bytes.total), `${bytes(stats.bytes.per_frame)} a frame`], [percent(done), "of attempts are kept"],
    [stats.throughput && stats.throughput.frames_per_s ? number(stats.throughput.frames_per_s) : "–", "frames/s while it was made"],
  ];
  section("overview", "Overview", el("div", { class: "tiles" }, ...tiles.map(([value, text]) => el("div", { class: "tile" }, el("b", { text: value }), el("span", { text })))));
  const open = stats.shards.planned - stats.shards.committed;
  const words = [];
  if (open > 0) words.push(`${number(open)} of ${number(stats.shards.planned)} shards are not made yet.`);
  if (stats.empty_slots) words.push(`${number(stats.empty_slots)} slots stay empty: all their attempts failed.`);
  if (stats.missing && stats.missing.length) words.push(`Not stored: ${stats.missing.join(", ")}.`);
  if (!stats.episodes) words.push("Nothing is committed yet.");
  if (words.length) main.lastChild.append(note(words.join(" ")));
  if (DATA.verified) main.lastChild.append(verified());
}

function verified() {
  const { ok, count, kinds, problems } = DATA.verified;
  const box = card("Verification", el("p", { class: ok ? "ok" : "wrong", text: ok ? "syngrasp verify found no problem." : `syngrasp verify found ${number(count)} problems.` }));
  box.style.marginTop = "12px";
  if (kinds.length) box.append(bars(kinds.map(([kind, n, meaning]) => [`${kind}: ${meaning}`, n, number(n)])));
  if (problems.length) box.append(el("div", { class: "scroll" }, grid(["shard", "slot", "array", "what"], problems.map((p) => p.map((v) => (v === null ? "" : String(v)))), [3])));
  return box;
}

function grid(names, rows, wrapped = []) {
  return el("table", {}, el("thead", {}, el("tr", {}, ...names.map((text) => el("th", { text })))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((text, k) => el("td", { text, class: wrapped.includes(k) ? "wrap" : "" }))))));
}

function yields() {
  const stages = Object.entries(stats.yield);
  if (!stages.length) return;
  const box = el("div", { class: "card stages" });
  for (const [stage, { passed, rejected, rate }] of stages) {
    const lost = Object.values(rejected).reduce((a, b) => a + b, 0), all = passed + lost || 1;
    box.append(el("div", { class: "row" }, el("span", { text: stage }),
      el("span", { class: "track" }, el("i", { class: "good", style: `width:${(100 * passed) / all}%` }), el("i", { class: "bad", style: `width:${(100 * lost) / all}%` })),
      el("em", { text: `${number(passed)} of ${number(all)} · ${percent(rate)}` })));
    const reasons = Object.entries(rejected);
    box.append(el("p", { class: "reasons", text: reasons.length ? reasons.map(([why, n]) => `${why} ${number(n)}`).join(", ") : "nothing rejected" }));
  }
  section("yield", "Yield", box);
}

function objects() {
  const names = Object.entries(stats.by_category || {});
  if (!names.length) return;
  const list = el("div", { class: "scroll" });
  const keys = { episodes: "episodes", objects: "objects", lift_height: "lift", grasp_quality: "grasp quality", occlusion: "hidden" };
  const sort = el("select", { "aria-label": "Order of categories", onchange: draw }, ...Object.entries(keys).map(([value, text]) => el("option", { value, text: `by ${text}` })));
  const find = el("input", { type: "search", placeholder: "Find a category", "aria-label": "Find a category", oninput: draw });
  function draw() {
    const key = sort.value, wanted = find.value.trim().toLowerCase();
    const rows = names.filter(([name]) => name.toLowerCase().includes(wanted)).sort((a, b) => (b[1][key] ?? -1) - (a[1][key] ?? -1));
    list.replaceChildren(rows.length ? bars(rows.map(([name, told]) => [name, told[key] ?? 0, key === "episodes" ? `${number(told.episodes)} · ${number(told.objects)} objects` : number(told[key])])) : note("none"));
  }
  draw();
  const use = stats.by_object;
  const cards = el("div", { class: "cards two" }, card(`${number(names.length)} categories`, el("div", { class: "tools" }, find, sort), list));
  if (use) cards.append(card("Objects", note(`${number(use.placed)} objects are placed, ${number(use.targeted)} are targets. Episodes for each target:`), histogram(use.episodes_per_target),
    el("h3", { text: "Most often targets", style: "margin-top:14px" }), bars(Object.entries(use.most).slice(0, 8).map(([uid, n]) => [uid, n, number(n)]))));
  section("objects", "Categories and objects", cards);
}

function grasps() {
  const cards = el("div", { class: "cards" });
  const { motion } = stats, way = motion.approach_directions;
  if (way.occupied || way.upward) cards.append(card("Approach", hemisphere(way.counts), note(`Straight down in the middle, level at the rim. ${way.occupied} of ${way.bins} directions occur${way.upward ? `; ${number(way.upward)} grasps point upwards` : ""}.`)));
  if (motion.rolls.occupied) cards.append(card("Roll of the fingers", bars(motion.rolls.counts.map((n, k) => [`${(180 * k) / motion.rolls.bins}°`, n, number(n)]))));
  cards.append(card("Gripper width at the grasp", histogram(stats.grasp_width, { unit: "mm", factor: 1000 })));
  cards.append(card("Grasp quality", histogram(stats.grasp_quality)));
  section("grasps", "Grasps", cards);
}

function workspace() {
  if (!stats.workspace) return;
  const cards = el("div", { class: "cards" }), { xy, xz } = stats.workspace;
  const titles = { target: "Targets at the start", grasp: "Grasps", tcp: "Hand, all frames" };
  for (const [what, title] of Object.entries(titles)) {
    if (xy[what].flat().some((n) => n)) cards.append(card(`${title}, from above`, map(xy[what], xy.x, xy.y, ["x", "y"])));
  }
  if (xz.tcp.flat().some((n) => n)) cards.append(card("Hand, from the side", map(xz.tcp, xz.x, xz.z, ["x", "z"])));
  section("workspace", "Workspace", cards);
}

function motion() {
  const cards = el("div", { class: "cards" });
  const add = (title, spread, options) => cards.append(card(title, histogram(spread, options)));
  add("Frames of an episode", stats.episode_length);
  add("Objects in a scene", stats.objects_per_scene);
  add("Lift", stats.lift_height, { unit: "cm", factor: 100 });
  add("Slip", stats.slip, { unit: "mm", factor: 1000 });
  add("Smoothness of reaches", stats.motion.smoothness);
  add("Joint jerk, root mean square", stats.motion.joint_jerk_rms, { unit: "rad/s³" });
  add("Attempt that was kept", stats.attempt);
  const degrees = 180 / Math.PI;
  const units = { dx: ["mm", 1000], dy: ["mm", 1000], dz: ["mm", 1000], droll: ["°", degrees], dpitch: ["°", degrees], dyaw: ["°", degrees], gripper: ["", 1] };
  for (const [name, spread] of Object.entries(stats.actions || {})) add(`Action ${name}`, spread, { unit: units[name][0], factor: units[name][1] });
  section("motion", "Motion and actions", cards,
    note(`${number(stats.motion.hesitating_reaches)} of ${number(stats.motion.reaches)} reaches slow down and go on; ${number(stats.motion.retry_episodes)} episodes miss their first grasp.`));
}

function looks() {
  const { looks: told } = stats;
  if (!told.episodes) {
    section("looks", "Randomisation", note("No look is stored: the episodes were not rendered, or come from elsewhere."));
    return;
  }
  const cards = el("div", { class: "cards" });
  for (const [name, figure] of Object.entries(told.numbers)) {
    if (figure.count) cards.append(card(name, histogram(figure, { unit: figure.unit, range: figure.range, height: 60 }), note(figure.range ? `${percent(figure.covered)} of the recipe's range (green) occurs` : "not bounded by the recipe")));
  }
  const choices = el("div", { class: "cards" });
  for (const [name, choice] of Object.entries(told.choices)) {
    const entries = Object.entries(choice.counts), total = entries.reduce((sum, [, n]) => sum + n, 0);
    if (entries.length) choices.append(card(name, bars(entries.map(([value, n]) => [value, n / total, percent(n / total), choice.weights[value]]))));
  }
  const pictures = el("div", { class: "cards" });
  for (const [camera, figure] of Object.entries(told.pictures.cameras)) {
    pictures.append(card(`Brightness, ${camera}`, histogram(figure.brightness)), card(`Saturation, ${camera}`, histogram(figure.saturation)));
  }
  const warn = told.outside.length ? el("p", { class: "wrong", text: told.outside.join("; ") }) : note("Nothing lies outside the recipe's ranges.");
  section("looks", "Randomisation", note(`${number(told.episodes)} episodes, ${number(told.same_look)} of them with a look that another has.`), warn,
    el("h3", { text: "What was chosen; ticks are the recipe's weights", style: "margin-top:16px" }), choices,
    el("h3", { text: "What was drawn", style: "margin-top:18px" }), cards,
    told.pictures.episodes ? el("h3", { text: "What the cameras saw", style: "margin-top:18px" }) : null, pictures);
}

function cost() {
  const cards = el("div", { class: "cards two" });
  const course = stats.throughput;
  if (course && course.points.length > 1) cards.append(card("Frames over time", curve(course.points.map((p) => [p.seconds, p.frames]), hours, (n) => `${number(n)} frames`)));
  if (stats.cost && stats.cost.seconds) {
    const stages = Object.entries(stats.cost.by_stage).sort((a, b) => b[1] - a[1]);
    cards.append(card("Seconds of a core by stage", bars(stages.map(([stage, s]) => [stage, s, `${hours(s)} · ${percent(s / stats.cost.seconds)}`])), note(`${number(stats.cost.per_episode)} s an episode, ${number(stats.cost.per_1000_frames)} s a thousand frames, rejected attempts included.`)));
  }
  cards.append(card("Bytes by array", bars(Object.entries(stats.bytes.by_array).slice(0, 10).map(([name, n]) => [name, n, bytes(n)]))));
  section("cost", "Cost", cards);
}

function licences() {
  const rows = Object.entries(stats.licenses);
  if (!rows.length) return;
  const { rows: table, of } = DATA.attribution;
  const cards = el("div", { class: "cards two" }, card("Licences of placed objects", bars(rows.map(([name, n]) => [name || "not known", n, number(n)]))));
  if (table.length) cards.append(card(`Authors${of > table.length ? ` (${number(table.length)} of ${number(of)} objects)` : ""}`, el("div", { class: "scroll" }, grid(["object", "category", "licence", "author"], table, [3]))));
  section("licences", "Licences", cards);
}

head();
overview();
yields();
gallerySection();
objects();
grasps();
workspace();
motion();
looks();
cost();
licences();
indexSection();

// All episodes as a table of which only the visible rows exist.
async function indexSection() {
  const { index } = DATA;
  if (!index.rows) return;
  const HEIGHT = 27, box = el("div", { class: "virtual card", tabindex: 0, "aria-label": "All episodes" });
  const count = el("span", { class: "note", id: "index-count" });
  const find = el("input", { type: "search", id: "index-find", placeholder: "Find an object or category", "aria-label": "Find an object or category", oninput: refilter });
  const least = el("input", { type: "number", step: "0.01", placeholder: "least quality", "aria-label": "Least grasp quality", style: "width:130px", oninput: refilter });
  section("index", "All episodes", el("div", { class: "tools" }, find, least, count), box,
    note(`A row is seen in three dimensions by: syngrasp view ${about.url} --shard SHARD --slot SLOT`));
  const packed = Uint8Array.from(atob(index.packed), (c) => c.charCodeAt(0));
  const buffer = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  const column = {};
  index.columns.forEach(([name, kind], k) => {
    column[name] = new (kind === "f4" ? Float32Array : Int32Array)(buffer, 4 * k * index.rows, index.rows);
  });
  const heads = [["shard", "shard"], ["slot", "slot"], ["category", "category"], ["uid", "target"], ["length", "frames"], ["objects", "objects"], ["attempt", "attempt"], ["quality", "quality"], ["lift", "lift [m]"]];
  const words = { category: index.categories, uid: index.uids };
  const ranks = Object.fromEntries(Object.entries(words).map(([name, list]) => {
    const order = list.map((_, k) => k).sort((a, b) => (list[a] < list[b] ? -1 : 1)), rank = new Int32Array(list.length);
    order.forEach((k, place) => { rank[k] = place; });
    return [name, rank];
  }));
  let order = Uint32Array.from({ length: index.rows }, (_, k) => k), by = null, down = false;
  const body = el("tbody"), spacer = el("div");
  const table = el("table", {}, el("thead", {}, el("tr", {}, ...heads.map(([name, text]) => el("th", { class: words[name] ? "" : "num" }, el("button", { text, onclick: () => { down = by === name ? !down : false; by = name; refilter(); } }))))), body);
  box.replaceChildren(spacer, table);
  box.addEventListener("scroll", draw);

  function refilter() {
    const wanted = find.value.trim().toLowerCase(), low = least.value === "" ? -Infinity : Number(least.value);
    const hit = (list) => Uint8Array.from(list, (text) => (text.toLowerCase().includes(wanted) ? 1 : 0));
    const inCategory = hit(index.categories), inUid = hit(index.uids);
    const rows = [];
    for (let k = 0; k < index.rows; k += 1) {
      if ((inCategory[column.category[k]] || inUid[column.uid[k]]) && !(column.quality[k] < low)) rows.push(k);
    }
    order = Uint32Array.from(rows);
    if (by) {
      const value = words[by] ? (k) => ranks[by][column[by][k]] : (k) => column[by][k];
      order.sort((a, b) => (down ? value(b) - value(a) : value(a) - value(b)) || a - b);
    }
    count.textContent = `${number(order.length)} of ${number(index.of)} episodes`;
    spacer.style.height = `${HEIGHT * (order.length + 1)}px`;
    box.scrollTop = 0;
    draw();
  }

  function draw() {
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - 4), shown = Math.ceil(box.clientHeight / HEIGHT) + 8;
    table.style.transform = `translateY(${first * HEIGHT}px)`;
    const rows = [];
    for (let k = first; k < Math.min(first + shown, order.length); k += 1) {
      const row = order[k];
      rows.push(el("tr", {}, ...heads.map(([name]) => el("td", { class: words[name] ? "" : "num", text: words[name] ? words[name][column[name][row]] : number(column[name][row]) }))));
    }
    body.replaceChildren(...rows);
  }
  refilter();
}
