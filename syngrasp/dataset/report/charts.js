"use strict";
// Small charts as SVG, and how numbers are written. All text goes through textContent, never through markup.

const SVG = "http://www.w3.org/2000/svg";

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") node.textContent = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") node.textContent = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

function number(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return Number(value.toPrecision(digits)).toString();
}

function percent(share) {
  if (share === null || share === undefined) return "–";
  const value = 100 * share;
  return (value > 0 && value < 0.1 ? "<0.1" : value >= 99.95 && value < 100 ? ">99.9" : number(value, 3)) + " %";
}

function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let k = 0;
  while (value >= 1000 && k < units.length - 1) { value /= 1000; k += 1; }
  return `${number(value)} ${units[k]}`;
}

function hours(seconds) {
  if (seconds < 90) return `${number(seconds)} s`;
  if (seconds < 5400) return `${number(seconds / 60)} min`;
  return seconds < 360000 ? `${number(seconds / 3600)} h` : `${number(seconds / 86400)} days`;
}

// A histogram of a spread; `factor` converts to the unit that is written, `range` is shaded.
function histogram(spread, { unit = "", factor = 1, range = null, height = 96 } = {}) {
  if (!spread || !spread.count) return el("p", { class: "note", text: "not stored" });
  const { start, width, counts } = spread.histogram;
  const W = 260, H = height, top = Math.max(...counts, 1);
  const low = Math.min(start, range ? range[0] : start);
  const high = Math.max(start + width * counts.length, range ? range[1] : -Infinity);
  const x = (value) => (W * (value - low)) / (high - low || 1);
  const chart = svg("svg", { viewBox: `0 0 ${W} ${H + 16}`, class: "hist", role: "img",
    "aria-label": `histogram, median ${number(factor * spread.p50)} ${unit}` });
  if (range) chart.append(svg("rect", { class: "range", x: x(range[0]), y: 0, width: Math.max(1, x(range[1]) - x(range[0])), height: H }));
  counts.forEach((count, k) => {
    if (!count) return;
    const h = Math.max(1, ((H - 4) * count) / top), at = x(start + k * width);
    const bar = svg("rect", { class: "bar", x: at + 0.4, y: H - h, width: Math.max(0.8, x(start + (k + 1) * width) - at - 0.8), height: h });
    bar.append(svg("title", { text: `${number(factor * (start + k * width))} … ${number(factor * (start + (k + 1) * width))} ${unit}: ${number(count)}` }));
    chart.append(bar);
  });
  chart.append(svg("line", { class: "axis", x1: 0, x2: W, y1: H, y2: H }));
  chart.append(svg("text", { x: 0, y: H + 13, text: number(factor * low) }));
  chart.append(svg("text", { x: W, y: H + 13, "text-anchor": "end", text: `${number(factor * high)} ${unit}` }));
  chart.append(svg("text", { x: W / 2, y: H + 13, "text-anchor": "middle", text: `median ${number(factor * spread.p50)}` }));
  return chart;
}

// Rows of bars: [name, value, text, mark]; a mark is a share where a tick is drawn.
function bars(rows, { good = false } = {}) {
  const top = Math.max(...rows.map((row) => row[1]), 1e-12);
  return el("div", {}, ...rows.map(([name, value, text, mark]) => el("div", { class: "row" },
    el("span", { text: name, title: name }),
    el("span", { class: "track" }, el("i", { class: good ? "good" : "", style: `width:${(100 * value) / top}%` }),
      mark === undefined ? null : el("u", { style: `left:${Math.min(99.5, (100 * mark) / top)}%` })),
    el("em", { text }))));
}

// Directions of approach seen from above: rings of equal area, the middle is straight down.
function hemisphere(counts) {
  const R = 96, rings = counts.length, sectors = counts[0].length, top = Math.max(...counts.flat(), 1);
  const chart = svg("svg", { viewBox: "-130 -112 260 214", class: "round", role: "img", "aria-label": "directions of approach" });
  counts.forEach((ring, i) => {
    // Ring 0 is level, the last is straight down; equal steps of height.
    const angle = (k) => Math.acos(Math.min(1, k / rings)) / (Math.PI / 2);
    const outer = R * angle(i), inner = R * angle(i + 1);
    ring.forEach((count, j) => {
      const a = (2 * Math.PI * j) / sectors, b = (2 * Math.PI * (j + 1)) / sectors;
      const p = (r, t) => `${(r * Math.cos(t)).toFixed(2)} ${(-r * Math.sin(t)).toFixed(2)}`;
      const piece = svg("path", { d: `M${p(outer, a)} A${outer} ${outer} 0 0 0 ${p(outer, b)} L${p(inner, b)} A${inner} ${inner} 0 0 1 ${p(inner, a)} Z`,
        style: `fill:rgba(var(--heat),${count ? 0.1 + 0.9 * Math.sqrt(count / top) : 0});stroke:var(--line)` });
      piece.append(svg("title", { text: `${number(count)} grasps` }));
      chart.append(piece);
    });
  });
  chart.append(svg("text", { x: R + 4, y: 4, text: "+x" }), svg("text", { x: -6, y: -R - 5, text: "+y" }));
  return chart;
}

// A map of counts over two axes, with the robot's base and a scale in the base frame.
function map(counts, [xLow, xHigh], [yLow, yHigh], [xName, yName]) {
  const columns = counts.length, rows = counts[0].length, top = Math.max(...counts.flat(), 1);
  const canvas = el("canvas", { class: "map", width: columns, height: rows, role: "img", "aria-label": `map of ${xName} and ${yName}` });
  const rgb = getComputedStyle(document.documentElement).getPropertyValue("--heat").split(",").map(Number);
  const pixels = new ImageData(columns, rows);
  counts.forEach((column, i) => column.forEach((count, j) => {
    const at = 4 * ((rows - 1 - j) * columns + i);
    pixels.data.set([...rgb, count ? 40 + 215 * Math.sqrt(count / top) : 0], at);
  }));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  const W = 100 * (xHigh - xLow), H = 100 * (yHigh - yLow);
  const over = svg("svg", { viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none" });
  const cx = -100 * xLow, cy = 100 * yHigh;
  over.append(svg("circle", { cx, cy, r: 3, style: "fill:var(--red)" }));
  for (let v = Math.ceil(5 * xLow) / 5; v < xHigh; v += 0.2) over.append(svg("line", { class: "axis", x1: 100 * (v - xLow), x2: 100 * (v - xLow), y1: 0, y2: H, "stroke-width": 0.3 }));
  for (let v = Math.ceil(5 * yLow) / 5; v < yHigh; v += 0.2) over.append(svg("line", { class: "axis", x1: 0, x2: W, y1: H - 100 * (v - yLow), y2: H - 100 * (v - yLow), "stroke-width": 0.3 }));
  return el("div", {}, el("div", { class: "mapbox" }, canvas, over),
    el("p", { class: "note", text: `${xName} ${number(xLow)} … ${number(xHigh)} m, ${yName} ${number(yLow)} … ${number(yHigh)} m; lines 20 cm apart; the dot is the robot's base` }));
}

// A curve of points [x, y] with its ends written.
function curve(points, xText, yText) {
  const W = 560, H = 150, xTop = Math.max(...points.map((p) => p[0]), 1e-9), yTop = Math.max(...points.map((p) => p[1]), 1e-9);
  const chart = svg("svg", { viewBox: `0 0 ${W} ${H + 18}`, role: "img", "aria-label": "course over time" });
  const path = points.map(([x, y], k) => `${k ? "L" : "M"}${((W * x) / xTop).toFixed(1)} ${(H - (H - 6) * (y / yTop)).toFixed(1)}`).join("");
  chart.append(svg("line", { class: "axis", x1: 0, x2: W, y1: H, y2: H }), svg("path", { class: "curve", d: path }));
  chart.append(svg("text", { x: 0, y: H + 14, text: "start" }), svg("text", { x: W, y: H + 14, "text-anchor": "end", text: xText(xTop) }),
    svg("text", { x: 0, y: 11, text: yText(yTop) }));
  return chart;
}
