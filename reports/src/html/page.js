// The matrix, its filters, and what opens from a cell. The state of the page is its URL fragment: whatever is
// shown can be linked to.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

// An element with attributes and children; text is text, never markup.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

const statuses = data.statuses;
const byLetter = new Map(statuses.map((status) => [status.letter, status]));
const requirements = new Map(data.requirements.map((requirement) => [requirement.id, requirement]));
const cases = new Map(data.cases.map((it, index) => [it.id, { ...it, index }]));
const columns = data.columns;

// ---- State ----

const state = { view: "cases", q: "", chapter: "", target: "", differ: false, hide: new Set(), cell: null };

function readFragment() {
  const words = new URLSearchParams(location.hash.slice(1));
  state.view = words.get("view") === "requirements" ? "requirements" : "cases";
  state.q = words.get("q") ?? "";
  state.chapter = words.get("chapter") ?? "";
  state.target = words.get("target") ?? "";
  state.differ = words.get("differ") === "1";
  const only = words.get("verdict");
  state.hide = new Set(only === null ? [] : statuses.map((it) => it.word).filter((it) => !only.split(",").includes(it)));
  state.cell = words.get("cell");
}

function fragment(changes = {}) {
  const wanted = { ...state, ...changes };
  const words = new URLSearchParams();
  if (wanted.view !== "cases") words.set("view", wanted.view);
  for (const key of ["q", "chapter", "target"]) if (wanted[key]) words.set(key, wanted[key]);
  if (wanted.differ) words.set("differ", "1");
  if (wanted.hide.size) words.set("verdict", statuses.map((it) => it.word).filter((it) => !wanted.hide.has(it)).join(","));
  if (wanted.cell) words.set("cell", wanted.cell);
  return "#" + words.toString();
}

function go(changes, replace = false) {
  const there = fragment(changes);
  if (there === location.hash || (there === "#" && location.hash === "")) return;
  if (replace) history.replaceState(null, "", there);
  else history.pushState(null, "", there);
  show();
}

// ---- Rows ----

const worst = statuses.map((status) => status.letter); // The worst comes first.

// What a requirement comes to in a column: the worst that one of its cases came to, and a skip only if nothing else.
function statusOfRequirement(requirement, column) {
  const seen = new Set(requirement.cases.map((index) => data.cases[index].cells[column]));
  for (const letter of worst) if (seen.has(letter)) return letter;
  return ".";
}

const rowsOf = {
  cases: data.cases.map((it) => ({
    key: it.id,
    chapter: it.id.split("/")[0],
    title: it.title,
    cells: it.cells,
    words: [it.id, it.title, ...it.covers].join("\n").toLowerCase(),
  })),
  requirements: data.requirements.map((it) => ({
    key: it.id,
    chapter: it.id.replace(/-[^-]*$/, ""),
    title: it.says,
    cells: columns.map((_, column) => statusOfRequirement(it, column)).join(""),
    words: [it.id, it.says, ...it.from, ...it.cases.map((index) => data.cases[index].id)].join("\n").toLowerCase(),
  })),
};

function isShown(row) {
  if (state.chapter && row.chapter !== state.chapter) return false;
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.every((word) => row.words.includes(word))) return false;
  const cells = [...row.cells].filter((_, index) => !state.target || columns[index].key === state.target);
  if (state.differ && new Set(row.cells).size < 2) return false;
  return cells.some((letter) => letter === "." ? !state.hide.size : !state.hide.has(byLetter.get(letter).word));
}

// ---- The matrix ----

const drawn = {}; // For each view: its table, and its rows with their elements.

function draw(view) {
  const table = element("table", { role: "grid", "aria-label": view === "cases" ? "Cases by target" : "Requirements by target" });
  const head = element("tr", {}, element("th", { scope: "col" }, view === "cases" ? "case" : "requirement"));
  for (const column of columns) head.append(element("th", { scope: "col", class: "target", title: column.line }, column.name));
  table.append(element("thead", {}, head));
  const lines = [];
  let body = null;
  let chapter = null;
  for (const row of rowsOf[view]) {
    if (row.chapter !== chapter) {
      chapter = row.chapter;
      body = element("tbody", { class: "chapter" }, element("tr", {}, element("th", { scope: "rowgroup", colspan: columns.length + 1 }, chapter)));
      table.append(body);
    }
    const line = element("tr", { class: "row" }, element("th", { scope: "row" }, element("span", { class: "id" }, row.key), element("span", { class: "title" }, row.title)));
    [...row.cells].forEach((letter, index) => {
      const status = byLetter.get(letter) ?? { word: "none", sign: "", counted: "not in this run" };
      const label = `${row.key}, ${columns[index].name}: ${status.word}`;
      const button = element("button", { type: "button", tabindex: "-1", title: label, "aria-label": label, "data-row": row.key, "data-column": index }, status.sign);
      line.append(element("td", { class: `cell ${status.word}` }, button));
    });
    body.append(line);
    lines.push({ row, line, body });
  }
  drawn[view] = { table, lines };
}

function show() {
  readFragment();
  $("text").value = state.q;
  $("chapter").replaceChildren(element("option", { value: "" }, "all"));
  for (const chapter of new Set(rowsOf[state.view].map((row) => row.chapter))) $("chapter").append(element("option", { value: chapter }, chapter));
  $("chapter").value = state.chapter;
  $("target").value = state.target;
  $("differ").checked = state.differ;
  for (const box of $("statuses").querySelectorAll("input")) box.checked = !state.hide.has(box.value);
  for (const tab of document.querySelectorAll("[data-view]")) tab.setAttribute("aria-pressed", String(tab.dataset.view === state.view));

  if (!drawn[state.view]) draw(state.view);
  const { table, lines } = drawn[state.view];
  let count = 0;
  const alive = new Set();
  for (const { row, line, body } of lines) {
    const visible = isShown(row);
    line.hidden = !visible;
    if (visible) {
      count += 1;
      alive.add(body);
    }
  }
  for (const body of table.tBodies) body.hidden = !alive.has(body);
  columns.forEach((column, index) => {
    const gone = Boolean(state.target) && column.key !== state.target;
    table.classList.toggle(`without-${index}`, gone);
  });
  if ($("matrix").firstChild !== table) $("matrix").replaceChildren(table);
  $("shown").textContent = `${count} of ${lines.length} ${state.view}`;
  const first = table.querySelector("tr.row:not([hidden]) button");
  if (first && !table.querySelector("button[tabindex='0']")) first.tabIndex = 0;
  showCell();
}

// ---- A cell ----

function fact(list, name, ...values) {
  list.append(element("dt", {}, name), element("dd", {}, ...values));
}

function requirementParts(id) {
  const it = requirements.get(id);
  if (!it) return element("p", { class: "requirement" }, element("span", { class: "id" }, id));
  return element("p", { class: "requirement" }, element("span", { class: "id" }, id), ` (${it.level}) ${it.says} `, element("span", { class: "faint" }, it.from.join("; ")));
}

function stepsTable(steps) {
  const body = element("tbody");
  for (const [line, text, met, expected, observed] of steps) {
    body.append(element("tr", {}, element("td", {}, String(line)), element("td", { class: met ? "pass" : "fail" }, met ? "✓" : "✗"), element("td", {}, text)));
    if (met) continue;
    for (const [name, value, kind] of [["expected", expected, "pass"], ["observed", observed, "fail"]]) {
      body.append(element("tr", { class: "wrong" }, element("td"), element("td", { class: kind }, name), element("td", { class: kind }, value)));
    }
  }
  return element("table", { class: "steps" }, body);
}

function caseParts(it, index) {
  const column = columns[index];
  const status = byLetter.get(it.cells[index]);
  const detail = data.details[it.index]?.[index] ?? {};
  const facts = element("dl", { class: "facts" });
  fact(facts, "verdict", element("strong", { class: status?.word ?? "none" }, status?.word ?? "not in this run"));
  fact(facts, "target", column.line);
  if (detail.reason !== undefined) fact(facts, "because", data.texts[detail.reason]);
  if (detail.recorded !== undefined) fact(facts, "recorded", data.texts[detail.recorded]);
  fact(facts, "repeat", element("code", {}, `${column.command} '${it.id}'`));
  if (status?.bad && column.export) fact(facts, "as one C file", element("code", {}, `${column.export} '${it.id}' > case.c`));
  const parts = [facts];
  if (detail.steps?.length) parts.push(element("h3", {}, "Steps"), stepsTable(detail.steps));
  if (detail.console?.length) parts.push(element("h3", {}, "Console"), element("pre", {}, detail.console.join("\n")));
  parts.push(element("h3", {}, "Required"), ...it.covers.map(requirementParts));
  if (it.source) parts.push(element("h3", {}, it.file), element("pre", {}, it.source));
  return parts;
}

function requirementCell(it, index) {
  const list = element("ul");
  for (const at of it.cases) {
    const one = data.cases[at];
    const status = byLetter.get(one.cells[index]);
    const link = element("a", { href: fragment({ view: "cases", cell: `${one.id}@${columns[index].key}` }) }, one.id);
    list.append(element("li", {}, element("strong", { class: status?.word ?? "none" }, status?.word ?? "not in this run"), " ", link, ` ${one.title}`));
  }
  return [requirementParts(it.id), element("p", {}, columns[index].line), it.cases.length ? list : element("p", {}, "No case covers it.")];
}

function showCell() {
  const dialog = $("cell");
  if (!state.cell) {
    if (dialog.open) dialog.close();
    return;
  }
  const at = state.cell.lastIndexOf("@");
  const key = state.cell.slice(0, at);
  const index = columns.findIndex((column) => column.key === state.cell.slice(at + 1));
  const it = cases.get(key) ?? requirements.get(key);
  const close = element("button", { type: "button", class: "close" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const title = element("h2", { id: "cell-title" }, element("span", { class: "id" }, key));
  let parts = [element("p", {}, "This page has no such case or target.")];
  if (it && index >= 0) parts = cases.has(key) ? [element("p", {}, it.title), ...caseParts(it, index)] : requirementCell(it, index);
  $("cell-body").replaceChildren(close, title, ...parts);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

// ---- What people do ----

function listen() {
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("text").addEventListener("input", () => go({ q: $("text").value }, true));
  $("chapter").addEventListener("change", () => go({ chapter: $("chapter").value }));
  $("target").addEventListener("change", () => go({ target: $("target").value }));
  $("differ").addEventListener("change", () => go({ differ: $("differ").checked }));
  $("statuses").addEventListener("change", () => {
    const boxes = [...$("statuses").querySelectorAll("input")];
    go({ hide: new Set(boxes.filter((box) => !box.checked).map((box) => box.value)) });
  });
  $("reset").addEventListener("click", () => go({ q: "", chapter: "", target: "", differ: false, hide: new Set() }));
  for (const tab of document.querySelectorAll("[data-view]")) tab.addEventListener("click", () => go({ view: tab.dataset.view, chapter: "" }));
  $("matrix").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-row]");
    if (button) go({ cell: `${button.dataset.row}@${columns[button.dataset.column].key}` });
  });
  $("cell").addEventListener("close", () => go({ cell: null }));
  $("matrix").addEventListener("keydown", move);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, select, dialog")) {
      event.preventDefault();
      $("text").focus();
    }
  });
  addEventListener("popstate", show);
  addEventListener("hashchange", show);
}

function move(event) {
  const button = event.target.closest("button[data-row]");
  const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -columns.length], End: [0, columns.length] }[event.key];
  if (!button || !way) return;
  event.preventDefault();
  const lines = drawn[state.view].lines.filter(({ line }) => !line.hidden).map(({ line }) => line);
  const row = lines.indexOf(button.closest("tr"));
  const clamp = (value, most) => Math.max(0, Math.min(most, value));
  const line = lines[clamp(row + way[0], lines.length - 1)];
  const next = line.querySelectorAll("button")[clamp(Number(button.dataset.column) + way[1], columns.length - 1)];
  button.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// What is not as expected, with a link to the first cell that shows it: before any table is read.
function news() {
  const bad = new Set(statuses.filter((status) => status.bad).map((status) => status.letter));
  const list = $("news").querySelector("ul");
  for (const it of data.cases) {
    const where = columns.map((_, index) => index).filter((index) => bad.has(it.cells[index]));
    if (!where.length) continue;
    const status = byLetter.get(it.cells[where[0]]);
    const link = element("a", { href: fragment({ cell: `${it.id}@${columns[where[0]].key}` }) }, it.id);
    const names = where.length === columns.length && columns.length > 1 ? "everywhere" : where.map((index) => columns[index].name).join(", ");
    list.append(element("li", {}, element("strong", { class: status.word }, status.word), " ", link, ` ${it.title} `, element("span", { class: "faint" }, names)));
  }
  $("news").hidden = !list.firstChild;
}

function begin() {
  for (const column of columns) $("target").append(element("option", { value: column.key }, column.name));
  for (const status of statuses) {
    const count = data.cases.reduce((sum, it) => sum + [...it.cells].filter((letter) => letter === status.letter).length, 0);
    if (count) $("statuses").append(element("label", { class: `check ${status.word}` }, element("input", { type: "checkbox", value: status.word }), ` ${status.sign} ${status.word}`));
  }
  // A target that is not asked for is not shown: one rule for each column, so that rows need not be touched.
  const rules = columns.map((_, index) => `.without-${index} tr > :nth-child(${index + 2}):not([colspan]) { display: none; }`);
  document.head.append(element("style", {}, rules.join("\n")));
  news();
  $("filters").hidden = false;
  listen();
  show();
}

begin();
