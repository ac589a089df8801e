
"use strict";

// --- What was recorded. An event: time, connection, kind, direction, text, size, bytes (base64), detail.

const traffic = JSON.parse(document.getElementById("traffic").textContent);
const [CLIENT, SERVER, VIA, ENDING, IS_CLEAN] = [1, 2, 3, 4, 5];
const ALARMS = new Set(["fault", "failed", "error", "timeout"]);
const events = traffic.events.map(([time, connection, kind, direction, text, size, data, detail], index) =>
  ({ index, time, connection, kind, direction, text, size, data, detail }));
const labelOf = (event) => event.connection < 0
  ? traffic.lanes[traffic.subjects[-1 - event.connection]][1] : traffic.connections[event.connection][0];

// --- How the page stands.

const ROW = 26, TIME_WIDTH = 104, NARROWEST_LANE = 116, WIDEST_GAP = 6, CROWDED = 12;
const UNITS = [10, 3, 1, .3, .1, .03, .01, .003, .001, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6];
const state = { connection: -1, direction: "", alarms: false, find: "", eachClient: false, zoom: 0, chosen: -1 };
let shown = [], lanes = [], rows = [], height = 0;

const $ = (id) => document.getElementById(id);
const scroller = $("scroller"), drawn = new Map();

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// --- Bytes and times in words.

const bytesOf = (event) => Uint8Array.from(atob(event.data), (each) => each.charCodeAt(0));
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u{fffd}]/gu;

function escapeOf(character) {
  const code = character.codePointAt(0);
  const known = { 9: "\\t", 10: "\\n", 13: "\\r" }[code];
  return known || (code < 256 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u{" + code.toString(16) + "}");
}

function textOf(bytes) {  // null where it is no UTF-8 text; a chunk may end within a character
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
    const odd = text.match(/[\x00-\x08\x0e-\x1f\x7f]/g);
    return odd && odd.length * 5 > text.length ? null : text;
  } catch {
    return null;
  }
}

const hex = (byte) => byte.toString(16).padStart(2, "0");

function glimpse(event) {
  const bytes = bytesOf({ data: event.data.slice(0, 216) });
  const text = textOf(bytes);
  return text === null ? [...bytes.subarray(0, 48)].map(hex).join(" ") : text.replace(hidden, escapeOf);
}

function hexdump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.subarray(at, at + 16)], codes = part.map(hex);
    const columns = codes.slice(0, 8).join(" ").padEnd(23) + "  " + codes.slice(8).join(" ").padEnd(23);
    const text = part.map((byte) => byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${columns}  ${text}`);
  }
  return lines.join("\n");
}

function duration(seconds) {
  const [unit, name] = seconds >= 1 ? [1, "s"] : seconds >= 1e-3 ? [1e-3, "ms"] : [1e-6, "µs"];
  return `${+(seconds / unit).toPrecision(3)} ${name}`;
}

const count = (number) => number.toLocaleString("en");
const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

// --- What is shown: a filter, lanes, and a line for each event or for many of a crowd.

function matches(event) {
  if (state.connection >= 0 && event.connection !== state.connection) return false;
  if (state.direction && event.direction && event.direction !== state.direction) return false;
  if (state.alarms && !ALARMS.has(event.kind)) return false;
  if (!state.find) return true;
  event.searched ??= [labelOf(event), event.text, event.detail || "", wordsIn(event)].join("\n").toLowerCase();
  return event.searched.includes(state.find);
}

function wordsIn(event) {
  if (!event.data) return "";
  const bytes = bytesOf(event);
  return textOf(bytes) ?? String.fromCharCode(...bytes);
}

function usedLanes() {
  const used = new Set();
  for (const { connection } of shown) {
    if (connection < 0) used.add(traffic.subjects[-1 - connection]);
    else [CLIENT, SERVER, VIA].forEach((end) => used.add(traffic.connections[connection][end]));
  }
  return [...used].filter((each) => each >= 0).sort((one, other) => one - other);
}

function placeLanes() {
  const used = usedLanes();
  const clients = used.filter((each) => traffic.lanes[each][0] === "client");
  const isCrowd = clients.length > 1 && used.length * NARROWEST_LANE > scroller.clientWidth - TIME_WIDTH;
  $("each-client").hidden = !isCrowd;
  const together = isCrowd && !state.eachClient;
  lanes = together ? [{ role: "client", name: `${count(clients.length)} clients`, address: "", members: clients }] : [];
  for (const index of together ? used.slice(clients.length) : used) {
    const [role, name, address] = traffic.lanes[index];
    lanes.push({ role, name, address, members: [index] });
  }
  const width = Math.max(scroller.clientWidth, TIME_WIDTH + lanes.length * NARROWEST_LANE);
  lanes.width = (width - TIME_WIDTH) / Math.max(1, lanes.length);
  lanes.total = width;
  lanes.room = scroller.clientWidth;
  lanes.at = new Map();
  lanes.forEach((lane, place) => lane.members.forEach((index) =>
    lanes.at.set(index, TIME_WIDTH + (place + .5) * lanes.width)));
}

function endsOf(event) {  // where on the page an event begins and ends; the same for one without a direction
  if (event.connection < 0) return Array(2).fill(lanes.at.get(traffic.subjects[-1 - event.connection]));
  const connection = traffic.connections[event.connection];
  const ends = [lanes.at.get(connection[CLIENT]), lanes.at.get(connection[SERVER])];
  if (event.kind === "tls") return ends;
  if (event.direction) return event.direction === "up" ? ends : ends.reverse();
  return Array(2).fill(connection[VIA] >= 0 ? lanes.at.get(connection[VIA]) : ends[1]);
}

function crowds(unit) {  // groups of one event, or of all alike in a crowded stretch of time
  const groups = [];
  for (let from = 0; from < shown.length;) {
    const slot = Math.floor(shown[from].time / unit);
    let to = from + 1;
    while (to < shown.length && Math.floor(shown[to].time / unit) === slot) to++;
    const stretch = shown.slice(from, to);
    if (stretch.length > CROWDED) {
      const alike = Map.groupBy(stretch, (each) => `${each.kind} ${each.direction} ${endsOf(each)} ${each.text}`);
      groups.push(...alike.values());
    } else groups.push(...stretch.map((each) => [each]));
    from = to;
  }
  return groups;
}

function layOut() {
  const unit = UNITS[state.zoom];
  let y = ROW / 2, before = null;
  rows = [];
  for (const group of crowds(unit)) {
    const time = group[0].time;
    const gap = before === null ? 0 : (time - before) / unit;
    const isCut = before !== null && group[0].index >= traffic.leftOut[0] && traffic.leftOut[1] > 0
      && rows.at(-1).group.at(-1).index < traffic.leftOut[0];
    if (isCut) {
      rows.push({ y, time: before, gap: `${count(traffic.leftOut[1])} events are left out here`, isCut, group });
      y += ROW;
    } else if (gap > WIDEST_GAP) {
      rows.push({ y: y + ROW / 2, time: before, gap: duration(time - before), group: rows.at(-1).group });
      y += ROW * 2;
    } else if (gap > 1) y += (gap - 1) * ROW / 2;
    rows.push({ y, time, group, event: group[0], place: rows.length });
    y += ROW;
    before = group.at(-1).time;
  }
  height = y + ROW;
}

function show({ keep = true } = {}) {
  const anchor = keep ? anchorNow() : null;
  shown = events.filter(matches);
  placeLanes();
  layOut();
  drawn.forEach((each) => each.remove());
  drawn.clear();
  drawLanes();
  $("count").textContent = shown.length === events.length ? `${count(events.length)} events`
    : `${count(shown.length)} of ${count(events.length)} events`;
  $("zoom").textContent = `line = ${duration(UNITS[state.zoom])}`;
  $("zoom-out").disabled = state.zoom === 0;
  $("zoom-in").disabled = state.zoom === UNITS.length - 1;
  if (anchor) scroller.scrollTop = Math.max(0, rowAtTime(anchor.time).y - anchor.offset);
  draw();
  drawMap();
}

function anchorNow() {  // what stays where it is: the chosen event if it can be seen, or what is at the top
  if (!rows.length) return null;
  const chosen = rows.find((row) => row.event && row.group.some((each) => each.index === state.chosen));
  const isSeen = chosen && chosen.y >= scroller.scrollTop && chosen.y < scroller.scrollTop + scroller.clientHeight;
  const row = isSeen ? chosen : rows[firstRowAt(scroller.scrollTop)];
  return { time: row.time, offset: row.y - scroller.scrollTop };
}

function search(isBefore) {  // the first row for which it is false, or the last row
  let low = 0, high = rows.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(rows[middle])) low = middle + 1; else high = middle;
  }
  return Math.max(0, low);
}

const firstRowAt = (y) => search((row) => row.y + ROW < y);
const rowAtTime = (time) => rows[search((row) => row.time < time)] || { y: 0 };

// --- Drawing: only the rows that can be seen are in the document.

function drawLanes() {
  const heads = $("lanes"), body = $("rows");
  heads.style.width = body.style.width = `${lanes.total}px`;
  body.style.minHeight = "calc(100% - 50px)";
  body.style.height = `${height}px`;
  body.querySelectorAll(".life").forEach((each) => each.remove());
  const heading = (lane) => {
    const head = make("div", `lane ${lane.role}`);
    head.style.left = `${lanes.at.get(lane.members[0])}px`;
    head.style.maxWidth = `${lanes.width - 12}px`;
    head.append(make("b", "", lane.name), make("span", "", lane.address || "—"));
    head.title = `${lane.name} ${lane.address}`;
    return head;
  };
  const seen = lanes.filter((lane) => {
    const x = lanes.at.get(lane.members[0]) - scroller.scrollLeft;
    return x > -lanes.width && x < scroller.clientWidth + lanes.width;
  });
  heads.replaceChildren(...seen.map(heading));
  body.prepend(...seen.map((lane) => {
    const life = make("div", "life");
    life.style.left = `${lanes.at.get(lane.members[0])}px`;
    return life;
  }));
}

function draw() {
  const top = scroller.scrollTop - 10 * ROW, bottom = scroller.scrollTop + scroller.clientHeight + 10 * ROW;
  const wanted = new Set();
  for (let place = firstRowAt(top); place < rows.length && rows[place].y < bottom; place++) wanted.add(place);
  for (const [place, element] of drawn) {
    if (!wanted.has(place)) { element.remove(); drawn.delete(place); }
  }
  for (const place of wanted) {
    if (drawn.has(place)) continue;
    const element = rows[place].event ? rowElement(rows[place]) : gapElement(rows[place]);
    drawn.set(place, element);
    $("rows").append(element);
  }
  markChosen();
}

function gapElement(row) {
  const element = make("div", row.isCut ? "gap cut" : "gap");
  element.style.top = `${row.y}px`;
  element.append(make("span", "", row.gap));
  return element;
}

function rowElement(row) {
  const { event, group } = row;
  const element = make("div", `row ${event.kind}${group.length > 1 ? " many" : ""}`);
  element.id = `event-${event.index}`;
  element.style.top = `${row.y}px`;
  element.dataset.place = row.place;
  element.setAttribute("role", "option");
  element.setAttribute("aria-label", sentence(row));
  const [whole, part] = event.time.toFixed(6).split(/(?=\d{3}$)/);
  const time = make("span", "time", whole);
  time.append(make("i", "", part));
  element.append(time, ...mark(event), words(row));
  return element;
}

const paintOf = (event) => event.kind === "data" ? event.direction : event.kind;

function mark(event) {
  const [from, to] = endsOf(event);
  if (from === to) {
    const dot = make("span", `dot ${paintOf(event)}`);
    dot.style.left = `${from}px`;
    return [dot];
  }
  const way = event.kind === "tls" ? "band" : from < to ? "right" : "left";
  const arrow = make("span", `arrow ${paintOf(event)} ${way}`);
  arrow.style.left = `${Math.min(from, to)}px`;
  arrow.style.width = `${Math.abs(to - from)}px`;
  const via = event.connection >= 0 && lanes.at.get(traffic.connections[event.connection][VIA]);
  if (via) {
    const knot = make("span", "via");
    knot.style.left = `${via - Math.min(from, to)}px`;
    arrow.append(knot);
  }
  return [arrow];
}

function words(row) {
  const { event, group } = row;
  const [from, to] = endsOf(event);
  const left = Math.min(from, to), isMark = from === to, fromRight = isMark && left > lanes.total * .55;
  const element = make("span", `words ${paintOf(event)}${fromRight ? " end-aligned" : ""}`);
  element.style.left = fromRight ? `${TIME_WIDTH + 8}px` : `${left + (isMark ? 12 : 10)}px`;
  element.style.width = fromRight ? `${left - TIME_WIDTH - 22}px` : `${lanes.total - left - 20}px`;
  if (isMark) element.style.top = "4px";
  element.append(make("span", "tag", group.length > 1 ? `× ${count(group.length)}` : labelOf(event)));
  if (event.kind !== "data") element.append(make("span", "text", event.text));
  else {
    element.append(make("span", "size", `${count(sizeOf(group))} B`));
    if (group.length === 1) element.append(make("code", "", glimpse(event)));
  }
  return element;
}

const sizeOf = (group) => group.reduce((sum, each) => sum + each.size, 0);

function sentence({ event, group }) {
  const way = { up: "upstream", down: "downstream" }[event.direction] || "";
  const what = event.kind === "data" ? `${sizeOf(group)} bytes ${way}: ${glimpse(event)}` : event.text;
  return `${event.time.toFixed(6)} s, ${group.length > 1 ? `${group.length} like this` : labelOf(event)}, ${what}`;
}

// --- One event is chosen.

const rowOf = (index) => rows.find((row) => row.event && row.group.some((each) => each.index === index));

function markChosen() {
  const row = state.chosen < 0 ? undefined : rowOf(state.chosen);
  for (const [place, element] of drawn) {
    if (rows[place].event) element.setAttribute("aria-selected", String(rows[place] === row));
  }
  if (row && drawn.has(row.place)) scroller.setAttribute("aria-activedescendant", drawn.get(row.place).id);
  else scroller.removeAttribute("aria-activedescendant");
}

function choose(index) {
  state.chosen = index;
  const row = index < 0 ? undefined : rowOf(index);
  const held = document.activeElement.closest("#detail button")?.title;
  $("detail").replaceChildren(...(row ? detail(row) : []));
  if (held) ([...$("detail").querySelectorAll("button")].find((each) => each.title === held) || scroller).focus();
  if (row) reveal(row);
  draw();
}

function reveal(row) {
  const top = scroller.scrollTop, room = scroller.clientHeight - 51;
  if (row.y < top + ROW) scroller.scrollTop = row.y - 2 * ROW;
  else if (row.y > top + room - 2 * ROW) scroller.scrollTop = row.y - room + 3 * ROW;
  const [left, right] = endsOf(row.event).sort((one, other) => one - other), { scrollLeft, clientWidth } = scroller;
  if (left < scrollLeft + TIME_WIDTH || right > scrollLeft + clientWidth) scroller.scrollLeft = left - TIME_WIDTH - 60;
}

function step(by, isWanted = () => true) {
  const steps = rows.filter((row) => row.event && (isWanted(row) || row.group.some((each) => each.index === state.chosen)));
  const now = steps.findIndex((row) => row.group.some((each) => each.index === state.chosen));
  const from = now >= 0 ? now + by : by > 0 ? steps.findIndex((row) => row.y >= scroller.scrollTop) : steps.length - 1;
  const row = steps[Math.min(Math.max(from, 0), steps.length - 1)];
  if (row && isWanted(row)) choose(row.event.index);
}

function sameConnection() {
  const now = events[state.chosen];
  return (row) => !now || row.event.connection === now.connection;
}

function button(text, action, title) {
  const element = make("button", "", text);
  element.type = "button";
  element.title = title;
  element.addEventListener("click", action);
  return element;
}

function detail(row) {
  const { event, group } = row;
  const buttons = make("div", "buttons");
  buttons.append(button("↑", () => step(-1, sameConnection()), "Previous of this connection (←)"),
    button("↓", () => step(1, sameConnection()), "Next of this connection (→)"));
  if (event.connection >= 0) buttons.append(button(state.connection < 0 ? "Only this connection" : "All connections",
    () => onlyConnection(state.connection < 0 ? event.connection : -1), "c"));
  if (group.length > 1) buttons.append(button("Zoom in here", () => zoom(1), "+"));
  buttons.append(button("×", () => choose(-1), "Close (Esc)"));
  const title = make("h2", paintOf(event), group.length > 1 ? `${count(group.length)} events` : titleOf(event));
  const known = make("section", "facts");
  known.append(facts(row));
  return [title, buttons, known, ...(group.length > 1 ? [] : contents(event))];
}

function titleOf(event) {
  if (event.kind !== "data") return event.text;
  return `${count(event.size)} B ${event.direction === "up" ? "upstream" : "downstream"}`;
}

function facts({ event, group }) {
  const list = make("dl");
  const add = (name, value) => value && list.append(make("dt", "", name), make("dd", "", value));
  add("Time", `${event.time.toFixed(6)} s`);
  if (group.length > 1) {
    add("Until", `${group.at(-1).time.toFixed(6)} s`);
    add("Bytes", count(sizeOf(group)));
    return list;
  }
  const own = events.slice(0, event.index).filter((each) => each.connection === event.connection);
  if (own.length) add("After", `${duration(event.time - own.at(-1).time)} of silence on it`);
  add("Connection", labelOf(event));
  if (event.connection < 0) return list;
  const connection = traffic.connections[event.connection];
  const ends = [CLIENT, SERVER].map((end) => traffic.lanes[connection[end]].slice(1).join(" "));
  if (event.direction) add("From", event.direction === "up" ? ends[0] : ends[1]);
  add(event.direction ? "To" : "Between", event.direction ? ends[event.direction === "up" ? 1 : 0] : ends.join(" and "));
  if (event.kind === "data") add("Offset", `${count(sizeOf(own.filter((each) => each.direction === event.direction)))} B`);
  add("Ending", connection[ENDING]);
  return list;
}

function contents(event) {
  if (event.detail) return [part("text", "Details", make("pre", "wrapped", event.detail))];
  if (event.kind !== "data" || !event.size) return [];
  const bytes = bytesOf(event), text = textOf(bytes), more = event.size - bytes.length;
  const dump = part("bytes", "Bytes", make("pre", "", hexdump(bytes)));
  if (more) dump.append(make("p", "more", `… ${count(more)} B more, which this page does not hold`));
  return text ? [part("text", "Text (UTF-8)", textElement(text)), dump] : [dump];
}

function part(className, title, ...content) {
  const section = make("section", className);
  section.append(make("h3", "", title), ...content);
  return section;
}

function textElement(text) {  // escapes stand out from text that looks like one
  const element = make("pre", "wrapped");
  let at = 0;
  for (const found of text.matchAll(hidden)) {
    element.append(text.slice(at, found.index), make("s", "", escapeOf(found[0])));
    if (found[0] === "\n") element.append("\n");
    at = found.index + found[0].length;
  }
  element.append(text.slice(at));
  return element;
}

// --- The pointer rests on an event.

function showTip(at) {
  const element = at.target.closest?.(".row"), tip = $("tip");
  tip.hidden = !element || at.buttons > 0;
  if (tip.hidden) return;
  const row = rows[element.dataset.place];
  if (tip.row !== row) {
    tip.row = row;
    const { event, group } = row;
    const title = group.length > 1 ? `${count(group.length)} events, ${count(sizeOf(group))} B: zoom in to see them`
      : `${labelOf(event)}: ${titleOf(event)}`;
    tip.replaceChildren(make("b", "", title));
    if (event.size && group.length === 1) {
      const bytes = bytesOf(event).subarray(0, 128);
      const more = event.size > 128 ? `\n… ${count(event.size - 128)} B more: click` : "";
      tip.append(make("pre", "", hexdump(bytes) + more));
    }
  }
  const { width, height: tall } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(at.clientX + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${at.clientY + 18 + tall > innerHeight ? at.clientY - tall - 12 : at.clientY + 18}px`;
}

// --- The map: all the time there is, to scale.

const map = { canvas: $("map"), marks: document.createElement("canvas"), colours: {}, scale: 1 };

function yOnMap(time) {
  const from = shown[0].time, span = shown.at(-1).time - from || 1;
  return (time - from) / span * (map.marks.height - 4 * map.scale) + 2 * map.scale;
}

function drawMap() {
  const scale = map.scale = devicePixelRatio || 1, style = getComputedStyle(document.documentElement);
  for (const name of ["up", "down", "fin", "open", "tls", "note", "fault", "failed", "timeout", "focus"]) {
    map.colours[name] = style.getPropertyValue(`--${name}`);
  }
  const width = map.marks.width = map.canvas.width = map.canvas.clientWidth * scale;
  map.marks.height = map.canvas.height = map.canvas.clientHeight * scale;
  if (width && shown.length) drawMarks(map.marks.getContext("2d"), width, scale);
  drawFrame();
}

function drawMarks(context, width, scale) {
  for (const isAlarm of [false, true]) {
    for (const event of shown) {
      if (ALARMS.has(event.kind) !== isAlarm) continue;
      const paint = paintOf(event), y = yOnMap(event.time);
      context.fillStyle = map.colours[{ error: "failed", end: "fin" }[paint] || paint];
      if (isAlarm) context.fillRect(0, y - scale, width, 2 * scale);
      else context.fillRect(width * (event.direction === "down" ? .52 : .12), y - scale / 2, width * .36, scale);
    }
  }
}

function drawFrame() {  // around what can be seen of the diagram
  const { canvas, marks, scale } = map, context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!canvas.width || !rows.length) return;
  context.drawImage(marks, 0, 0);
  const first = rows[firstRowAt(scroller.scrollTop + ROW)];
  const last = rows[search((row) => row.y < scroller.scrollTop + scroller.clientHeight - 51 - ROW)];
  const [top, bottom] = [yOnMap(first.time), yOnMap(last.time)];
  context.strokeStyle = map.colours.focus;
  context.lineWidth = 1.5 * scale;
  context.strokeRect(scale, top - 2 * scale, canvas.width - 2 * scale, Math.max(4 * scale, bottom - top + 4 * scale));
}

function goToMap(at) {
  if (at.buttons === 0 || !rows.length) return;
  const from = shown[0].time, span = shown.at(-1).time - from;
  const time = from + span * Math.min(1, Math.max(0, at.offsetY / $("map").clientHeight));
  scroller.scrollTop = rowAtTime(time).y - scroller.clientHeight / 2;
}

// --- Zoom and filters.

function zoom(by) {
  state.zoom = Math.min(UNITS.length - 1, Math.max(0, state.zoom + by));
  show();
  if (state.chosen >= 0) choose(state.chosen);
}

function fit() {
  const lines = Math.max(10, scroller.clientHeight / ROW);
  const span = shown.length ? shown.at(-1).time - shown[0].time : 0;
  const place = UNITS.findIndex((unit) => span / unit > lines * .6);
  state.zoom = place < 0 ? UNITS.length - 1 : Math.max(0, place - 1);
  show();
}

function firstZoom() {  // all events singly where they are few, all in about one screen where they are many
  shown = events;
  fit();
  while (events.length <= 400 && state.zoom < UNITS.length - 1 && rows.some((row) => row.event && row.group.length > 1)) {
    state.zoom++;
    layOut();
  }
  show({ keep: false });
}

function filter(changes) {
  Object.assign(state, changes);
  const isGone = state.chosen >= 0 && !matches(events[state.chosen]);
  show();
  if (isGone) choose(-1);
  else if (state.chosen >= 0) choose(state.chosen);
}

function onlyConnection(index) {
  $("connection").value = index;
  filter({ connection: index });
}

function fillConnections() {
  const counts = new Map();
  events.forEach((each) => each.kind === "data" && counts.set(each.connection, (counts.get(each.connection) || 0) + 1));
  $("connection").append(new Option(`all ${count(traffic.connections.length)}`, -1));
  traffic.connections.forEach((each, index) => {
    const text = `${each[IS_CLEAN] ? "" : "⚠ "}${each[0]}: ${plural(counts.get(index) || 0, "message")}, ${each[ENDING]}`;
    $("connection").append(new Option(text, index));
  });
}

function clearOrClose() {
  if (state.chosen >= 0) return choose(-1);
  $("find").value = "";
  $("alarms").checked = false;
  document.querySelector("[name=direction]").checked = true;
  onlyConnection(-1);
  filter({ direction: "", alarms: false, find: "" });
}

// --- Keys, pointer, paper.

const KEYS = {
  ArrowDown: () => step(1), ArrowUp: () => step(-1), j: () => step(1), k: () => step(-1),
  ArrowRight: () => step(1, sameConnection()), ArrowLeft: () => step(-1, sameConnection()),
  PageDown: () => step(20), PageUp: () => step(-20), Home: () => step(-Infinity), End: () => step(Infinity),
  "!": () => step(1, (row) => ALARMS.has(row.event.kind)),
  "+": () => zoom(1), "=": () => zoom(1), "-": () => zoom(-1), "0": fit, "/": () => $("find").focus(),
  c: () => state.chosen >= 0 && onlyConnection(state.connection < 0 ? events[state.chosen].connection : -1),
  Enter: () => { if (rowOf(state.chosen)?.group.length > 1) zoom(1); }, Escape: clearOrClose,
};

document.addEventListener("keydown", (pressed) => {
  const isTyping = pressed.target.matches("input[type=search], select, input[type=radio]");
  const isButton = pressed.target.matches("button, input") && ["Enter", " "].includes(pressed.key);
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey || isButton) return;
  if (isTyping && pressed.key !== "Escape") return;
  if (isTyping) scroller.focus();
  const action = KEYS[pressed.key];
  if (action) { action(); pressed.preventDefault(); }
});

let isDue = false;
scroller.addEventListener("scroll", () => {
  if (isDue) return;
  isDue = true;
  $("tip").hidden = true;
  requestAnimationFrame(() => { isDue = false; draw(); drawFrame(); if (lanes.total > scroller.clientWidth) drawLanes(); });
});
scroller.addEventListener("click", (at) => {
  const element = at.target.closest(".row");
  if (!element) return;
  $("tip").hidden = true;
  choose(rows[element.dataset.place].event.index);
});
scroller.addEventListener("wheel", (turned) => {
  if (!turned.ctrlKey) return;
  turned.preventDefault();
  zoom(turned.deltaY < 0 ? 1 : -1);
}, { passive: false });
scroller.addEventListener("pointermove", showTip);
scroller.addEventListener("pointerleave", () => { $("tip").hidden = true; });
$("map").addEventListener("pointerdown", goToMap);
$("map").addEventListener("pointermove", goToMap);
$("connection").addEventListener("change", (at) => filter({ connection: Number(at.target.value) }));
$("direction").addEventListener("change", (at) => filter({ direction: at.target.value }));
$("alarms").addEventListener("change", (at) => filter({ alarms: at.target.checked }));
$("each-client").addEventListener("change", (at) => filter({ eachClient: at.target.checked }));
$("find").addEventListener("input", (at) => filter({ find: at.target.value.toLowerCase() }));
$("zoom-in").addEventListener("click", () => zoom(1));
$("zoom-out").addEventListener("click", () => zoom(-1));
$("zoom-fit").addEventListener("click", fit);
new ResizeObserver(() => {
  if (lanes.room !== scroller.clientWidth) show();
  else { draw(); drawMap(); }
}).observe(scroller);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawMap);
addEventListener("beforeprint", () => { $("printed").innerHTML = $("tables").textContent; });
addEventListener("afterprint", () => { $("printed").replaceChildren(); });

$("app").hidden = false;
fillConnections();
firstZoom();
