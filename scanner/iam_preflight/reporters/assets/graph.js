// The picture of who can become whom. Everything shown comes from data: text is only ever set
// as text, so that no name in it can be markup.
(function () {
  "use strict";
  const holder = document.getElementById("graph-data");
  if (!holder) return;
  const data = JSON.parse(holder.textContent);
  const canvas = document.getElementById("graph-canvas");
  const context = canvas.getContext("2d");
  const side = document.getElementById("graph-side");
  const state = document.getElementById("graph-state");
  const search = document.getElementById("graph-find");
  const onlyPaths = document.getElementById("graph-paths");
  const onlyFindings = document.getElementById("graph-found");
  const withAlone = document.getElementById("graph-alone");

  const SHAPES = { role: "circle", user: "square", group: "hexagon", permission_set: "hexagon",
    policy: "diamond", organization_policy: "diamond", compute: "triangle" };
  const PALETTE = ["#3b82f6", "#22a06b", "#b7791f", "#8b5cf6", "#d9488b", "#0e9aa7", "#7a869a", "#c05621"];
  const LINES = { "holds": "#8a94a3", "runs as": "#3b82f6", "bounded by": "#22a06b",
    "member of": "#8b5cf6", "can assume": "#d97706", "can pass": "#b7791f" };
  const PATH = "#e11d48";
  const WORDS = { PRINCIPAL: "takes over", SELF: "widens itself", NEW_PASS: "passes to a new workload",
    EXIST: "takes over a workload", GUARD: "removes a guardrail", FED: "comes back by federation",
    ORG: "acts on the organization" };
  const CROWD = 12;
  const SEVERITIES = ["info", "low", "medium", "high", "critical"];
  const MAX_LISTED = 60;

  const nodes = data.nodes.map(function (node, index) {
    return { data: node, index: index, found: data.found[node.id] || [], out: [], in: [], shown: true,
      text: [node.id, node.name, node.type, node.account, node.environment].join(" ").toLowerCase() };
  });
  const byId = new Map(nodes.map((node) => [node.data.id, node]));
  const edges = [];
  for (const edge of data.edges) {
    const source = byId.get(edge.from);
    const target = byId.get(edge.to);
    if (!source || !target) continue;
    const isPath = Boolean(edge.method) && edge.kind !== "can assume";
    const held = { data: edge, source: source.index, target: target.index, isPath: isPath, shown: true };
    edges.push(held);
    source.out.push(held);
    if (target !== source) target.in.push(held);
    if (isPath && target === source) source.isOwn = true;
  }

  // Who may take over everybody says so once, in its panel: its lines stay faint.
  for (const node of nodes) {
    const paths = node.out.filter((edge) => edge.isPath);
    for (const edge of paths) edge.isCrowd = paths.length > CROWD;
  }

  // What draws nodes together: not what everybody may do to everybody.
  function forLayout() {
    return edges.filter((edge) => edge.source !== edge.target && edge.data.kind !== "can pass" && !edge.isCrowd);
  }
  const environments = Array.from(new Set(nodes.map((node) => node.data.environment || ""))).sort();
  const colours = new Map(environments.map((name, index) =>
    [name, name ? PALETTE[index % PALETTE.length] : "#7a869a"]));
  const x = new Float64Array(nodes.length);
  const y = new Float64Array(nodes.length);
  const view = { scale: 1, left: 0, top: 0 };
  let selected = null;
  let hovered = null;
  let matches = new Set();
  let width = 0;
  let height = 0;
  let isReady = false;

  // ---- drawing

  function css(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!isReady) return;
    context.translate(view.left, view.top);
    context.scale(view.scale, view.scale);
    const focus = selected || hovered;
    const near = focus ? neighbours(focus) : null;
    for (const pass of [false, true]) {
      for (const edge of edges) {
        if (edge.isPath === pass) drawEdge(edge, focus);
      }
    }
    for (const node of nodes) {
      if (node.shown) drawNode(node, near);
    }
    drawLabels(near);
  }

  function neighbours(node) {
    const near = new Set([node.index]);
    for (const edge of node.out) if (edge.shown) near.add(edge.target);
    for (const edge of node.in) if (edge.shown) near.add(edge.source);
    return near;
  }

  function drawEdge(edge, focus) {
    if (!edge.shown || edge.source === edge.target) return;
    if (!nodes[edge.source].shown || !nodes[edge.target].shown) return;
    const isNear = focus && (edge.source === focus.index || edge.target === focus.index);
    const x1 = x[edge.source];
    const y1 = y[edge.source];
    const x2 = x[edge.target];
    const y2 = y[edge.target];
    const isFaint = focus ? !isNear : edge.isCrowd;
    context.globalAlpha = isFaint ? 0.12 : edge.isPath ? 0.95 : 0.55;
    context.strokeStyle = edge.isPath ? PATH : LINES[edge.data.kind] || "#8a94a3";
    context.lineWidth = (isFaint ? 1 : edge.isPath ? 2.6 : isNear ? 1.8 : 1) / Math.sqrt(view.scale);
    context.setLineDash(edge.data.kind === "bounded by" ? [5, 4] : []);
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
    context.setLineDash([]);
    if (view.scale > 0.35) arrow(x1, y1, x2, y2);
    context.globalAlpha = 1;
  }

  function arrow(x1, y1, x2, y2) {
    const angle = Math.atan2(y2 - y1, x2 - x1);
    const tipX = x2 - Math.cos(angle) * 10;
    const tipY = y2 - Math.sin(angle) * 10;
    context.beginPath();
    context.moveTo(tipX, tipY);
    context.lineTo(tipX - Math.cos(angle - 0.45) * 7, tipY - Math.sin(angle - 0.45) * 7);
    context.lineTo(tipX - Math.cos(angle + 0.45) * 7, tipY - Math.sin(angle + 0.45) * 7);
    context.closePath();
    context.fillStyle = context.strokeStyle;
    context.fill();
  }

  function radius(node) {
    return 6 + Math.min(5, Math.sqrt(node.in.length + node.out.length));
  }

  function outline(node, size) {
    const at = node.index;
    const shape = SHAPES[node.data.kind];
    context.beginPath();
    if (shape === "square") {
      context.rect(x[at] - size, y[at] - size, size * 2, size * 2);
    } else if (shape === "diamond" || shape === "triangle" || shape === "hexagon") {
      const corners = shape === "diamond" ? 4 : shape === "triangle" ? 3 : 6;
      for (let i = 0; i < corners; i += 1) {
        const angle = -Math.PI / 2 + (i * 2 * Math.PI) / corners;
        context.lineTo(x[at] + Math.cos(angle) * size * 1.2, y[at] + Math.sin(angle) * size * 1.2);
      }
      context.closePath();
    } else {
      context.arc(x[at], y[at], SHAPES[node.data.kind] ? size : size * 0.7, 0, Math.PI * 2);
    }
  }

  function drawNode(node, near) {
    const isFaint = near ? !near.has(node.index) : matches.size > 0 && !matches.has(node.index);
    context.globalAlpha = isFaint ? 0.22 : 1;
    outline(node, radius(node));
    context.fillStyle = colours.get(node.data.environment || "");
    context.fill();
    if (node.isOwn && isPathShown()) {
      context.beginPath();
      context.arc(x[node.index], y[node.index], radius(node) + 5, 0, Math.PI * 2);
      context.strokeStyle = PATH;
      context.lineWidth = 2;
      context.stroke();
      outline(node, radius(node));
    }
    const worst = worstOf(node);
    if (worst >= 3 || node === selected) {
      context.lineWidth = node === selected ? 4 : 3;
      context.strokeStyle = node === selected ? css("--text") : css("--" + SEVERITIES[worst]);
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  let pathsShown = true;
  function isPathShown() {
    return pathsShown;
  }

  function worstOf(node) {
    return node.found.reduce((worst, one) => Math.max(worst, SEVERITIES.indexOf(one.severity)), -1);
  }

  function drawLabels(near) {
    context.font = Math.round(11 / Math.max(view.scale, 0.75)) + "px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillStyle = css("--text");
    const everywhere = view.scale > 0.95;
    const taken = [];
    const order = nodes.slice().sort((a, b) => weight(b) - weight(a) || a.index - b.index);
    for (const node of order) {
      const isWanted = near ? near.has(node.index) : matches.has(node.index) ||
        (everywhere && isInView(node)) || (view.scale > 0.5 && worstOf(node) >= 3);
      if (!node.shown || !isWanted) continue;
      const name = node.data.name || node.data.id;
      const short = name.length > 34 ? name.slice(0, 33) + "\u2026" : name;
      const half = context.measureText(short).width / 2 + 2;
      const tall = 13 / Math.max(view.scale, 0.75);
      const middle = y[node.index] + radius(node) + tall * 0.7;
      const box = [x[node.index] - half, middle - tall / 2, x[node.index] + half, middle + tall / 2];
      if (taken.some((one) => box[0] < one[2] && one[0] < box[2] && box[1] < one[3] && one[1] < box[3])) continue;
      taken.push(box);
      context.fillText(short, x[node.index], middle + tall * 0.3);
    }
  }

  // Whose label comes first where two want the same room.
  function weight(node) {
    return (node === selected ? 100 : 0) + (matches.has(node.index) ? 20 : 0) + worstOf(node) * 2 +
      Math.min(5, node.in.length + node.out.length) / 5;
  }

  function isInView(node) {
    const at = screen(node);
    return at.x > -50 && at.y > -50 && at.x < width + 50 && at.y < height + 50;
  }

  function screen(node) {
    return { x: x[node.index] * view.scale + view.left, y: y[node.index] * view.scale + view.top };
  }

  let isAsked = false;
  function redraw() {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(function () {
      isAsked = false;
      draw();
    });
  }

  // ---- the view

  function fit(list) {
    const shown = list.filter((node) => node.shown);
    if (!shown.length || !width) return;
    const xs = shown.map((node) => x[node.index]);
    const ys = shown.map((node) => y[node.index]);
    const left = Math.min.apply(null, xs) - 50;
    const top = Math.min.apply(null, ys) - 50;
    const right = Math.max.apply(null, xs) + 50;
    const bottom = Math.max.apply(null, ys) + 50;
    view.scale = Math.min(width / (right - left), height / (bottom - top), 1.6);
    view.left = (width - (left + right) * view.scale) / 2;
    view.top = (height - (top + bottom) * view.scale) / 2;
    redraw();
  }

  function zoom(factor, atX, atY) {
    const scale = Math.min(Math.max(view.scale * factor, 0.02), 6);
    view.left = atX - ((atX - view.left) * scale) / view.scale;
    view.top = atY - ((atY - view.top) * scale) / view.scale;
    view.scale = scale;
    redraw();
  }

  function resize() {
    const box = canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    width = box.width;
    height = box.height;
    canvas.width = Math.max(1, Math.round(width * ratio));
    canvas.height = Math.max(1, Math.round(height * ratio));
    redraw();
  }

  function nodeAt(atX, atY) {
    let best = null;
    let nearest = 15;
    for (const node of nodes) {
      if (!node.shown) continue;
      const at = screen(node);
      const distance = Math.hypot(at.x - atX, at.y - atY) - radius(node) * view.scale;
      if (distance < nearest) {
        nearest = distance;
        best = node;
      }
    }
    return nearest <= 4 ? best : null;
  }

  // ---- the panel

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = String(text);
    if (className) made.className = className;
    return made;
  }

  function jump(node) {
    const button = element("button", node.data.name || node.data.id, "link");
    button.type = "button";
    button.addEventListener("click", () => select(node, true));
    return button;
  }

  function section(title, rows) {
    if (!rows.length) return null;
    const made = element("section");
    made.append(element("b", title));
    const list = element("ul");
    for (const row of rows) {
      const item = element("li");
      item.append.apply(item, row);
      list.append(item);
    }
    made.append(list);
    return made;
  }

  function facts(node) {
    const list = element("dl");
    const rows = [["kind", node.kind.replace("_", " ")], ["type", node.type], ["id", node.id],
      ["place", node.file ? node.file + ":" + node.line : null], ["environment", node.environment],
      ["account", node.account]];
    for (const key of Object.keys(node.tags || {})) rows.push(["tag " + key, node.tags[key]]);
    for (const [key, value] of rows) {
      if (value === null || value === undefined || value === "") continue;
      list.append(element("dt", key), element("dd", value));
    }
    return list;
  }

  function reasons(edge) {
    return (edge.data.why || []).map((one) =>
      element("div", (one.file ? one.file + ":" + one.line + " " : "") + one.text, "small soft"));
  }

  function edgeRows(list, end) {
    const shown = list.filter((edge) => edge.shown);
    const rest = shown.length > MAX_LISTED ? [[shown.length - MAX_LISTED + " more"]] : [];
    return shown.slice(0, MAX_LISTED).map(function (edge) {
      const kind = WORDS[edge.data.kind] || edge.data.kind;
      const words = kind + (edge.data.method ? " (" + edge.data.method + ") " : " ");
      const other = edge.source === edge.target ? [] : [jump(nodes[edge[end]])];
      return [words].concat(other, reasons(edge));
    }).concat(rest);
  }

  function policies(node) {
    const parts = [];
    for (const policy of node.policies || []) {
      const made = element("details");
      made.append(element("summary", policy.use + " \u00b7 " + policy.attribute));
      if (policy.file) made.append(element("div", policy.file + ":" + policy.line, "small soft"));
      if (policy.resolved !== "full") {
        made.append(element("div", "resolved: " + policy.resolved + ". " + policy.why.join("; "), "small soft"));
      }
      if (policy.document) made.append(element("pre", JSON.stringify(policy.document, null, 2)));
      parts.push(made);
    }
    return parts;
  }

  function show(node) {
    side.replaceChildren();
    if (!node) {
      list(Array.from(matches, (index) => nodes[index]));
      return;
    }
    side.append(element("h3", node.data.name || node.data.id), facts(node.data));
    const found = node.found.map(function (one) {
      const link = element("a", one.rule + " " + one.message);
      link.href = "#finding-" + Number(one.index);
      return [element("span", one.severity, "severity " + one.severity), " ", link];
    });
    for (const part of [section("Findings", found), section("Leads to", edgeRows(node.out, "target")),
      section("Reached from", edgeRows(node.in, "source"))]) {
      if (part) side.append(part);
    }
    const documents = policies(node.data);
    if (documents.length) {
      const made = element("section");
      made.append.apply(made, [element("b", "Policies")].concat(documents));
      side.append(made);
    }
  }

  function list(found) {
    if (!matches.size && !search.value) {
      side.append(element("p", "Click a node, or search. Drag to move, scroll to zoom.", "soft"));
    }
    for (const node of found.slice(0, MAX_LISTED)) {
      const button = element("button", node.data.id, "found");
      button.type = "button";
      button.addEventListener("click", () => select(node, true));
      side.append(button);
    }
    if (found.length > MAX_LISTED) side.append(element("p", found.length - MAX_LISTED + " more", "soft"));
    if (search.value && !found.length) side.append(element("p", "Nothing has this name.", "soft"));
  }

  function select(node, isMoved) {
    selected = node;
    show(node);
    if (node && isMoved && node.shown) {
      view.scale = Math.max(view.scale, 1);
      view.left = width / 2 - x[node.index] * view.scale;
      view.top = height / 2 - y[node.index] * view.scale;
    }
    redraw();
  }

  // ---- filters

  function onPath() {
    const wanted = new Set();
    for (const edge of edges) {
      if (edge.shown && edge.isPath) wanted.add(edge.source).add(edge.target);
    }
    for (const edge of edges) {
      if (edge.data.kind === "can assume" && wanted.has(edge.target)) wanted.add(edge.source);
    }
    return wanted;
  }

  function applyFilters() {
    const kinds = checked("kind");
    const places = environments.length > 1 ? checked("environment") : new Set(environments);
    const lines = checked("line");
    for (const edge of edges) edge.shown = lines.has(edge.isPath ? "escalation" : edge.data.kind);
    pathsShown = lines.has("escalation");
    const paths = onlyPaths.checked ? onPath() : null;
    let shown = 0;
    for (const node of nodes) {
      node.shown = kinds.has(node.data.kind) && places.has(node.data.environment || "") &&
        (!paths || paths.has(node.index)) && (!onlyFindings.checked || node.found.length > 0) &&
        (withAlone.checked || node.in.length + node.out.length > 0);
      if (node.shown) shown += 1;
    }
    state.textContent = shown + " of " + nodes.length + " nodes";
    redraw();
  }

  function checked(name) {
    const boxes = document.querySelectorAll("[data-graph=" + name + "]");
    return new Set(Array.from(boxes).filter((box) => box.checked).map((box) => box.value));
  }

  function find() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    matches = new Set();
    if (words.length) {
      for (const node of nodes) {
        if (words.every((word) => node.text.includes(word))) matches.add(node.index);
      }
    }
    selected = null;
    show(null);
    redraw();
  }

  // ---- hands

  let drag = null;
  canvas.addEventListener("pointerdown", function (event) {
    const node = nodeAt(event.offsetX, event.offsetY);
    drag = { x: event.offsetX, y: event.offsetY, node: node, isMoved: false };
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("dragging");
  });
  canvas.addEventListener("pointermove", function (event) {
    if (!drag) {
      const node = nodeAt(event.offsetX, event.offsetY);
      if (node !== hovered) {
        hovered = node;
        redraw();
      }
      return;
    }
    const dx = event.offsetX - drag.x;
    const dy = event.offsetY - drag.y;
    if (!drag.isMoved && Math.hypot(dx, dy) < 4) return;
    drag.isMoved = true;
    drag.x = event.offsetX;
    drag.y = event.offsetY;
    if (drag.node) {
      x[drag.node.index] += dx / view.scale;
      y[drag.node.index] += dy / view.scale;
    } else {
      view.left += dx;
      view.top += dy;
    }
    redraw();
  });
  canvas.addEventListener("pointerup", function () {
    if (drag && !drag.isMoved) select(drag.node, false);
    drag = null;
    canvas.classList.remove("dragging");
  });
  canvas.addEventListener("pointerleave", function () {
    hovered = null;
    redraw();
  });
  canvas.addEventListener("wheel", function (event) {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.0015), event.offsetX, event.offsetY);
  }, { passive: false });
  document.getElementById("graph-in").addEventListener("click", () => zoom(1.4, width / 2, height / 2));
  document.getElementById("graph-out").addEventListener("click", () => zoom(1 / 1.4, width / 2, height / 2));
  document.getElementById("graph-fit").addEventListener("click", () => fit(nodes));
  search.addEventListener("input", find);
  search.addEventListener("keydown", function (event) {
    if (event.key === "Enter" && matches.size) select(nodes[Math.min.apply(null, Array.from(matches))], true);
    if (event.key === "Escape") {
      search.value = "";
      find();
    }
  });
  for (const box of [onlyPaths, onlyFindings, withAlone].concat(Array.from(document.querySelectorAll("[data-graph]")))) {
    box.addEventListener("input", function () {
      applyFilters();
      fit(nodes);
    });
  }
  window.addEventListener("resize", resize);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  // ---- begin

  for (const swatch of document.querySelectorAll("[data-line-colour]")) {
    const kind = swatch.dataset.lineColour;
    swatch.setAttribute("stroke", kind === "escalation" ? PATH : LINES[kind] || "#8a94a3");
  }
  for (const swatch of document.querySelectorAll("[data-colour]")) {
    swatch.setAttribute("fill", colours.get(swatch.dataset.colour) || "#7a869a");
  }
  resize();
  applyFilters();
  show(null);
  state.textContent = "placing " + nodes.length + " nodes\u2026";
  IamLayout.layout(nodes.length, forLayout(), Math.max(width / Math.max(height, 1), 0.5), x, y, function () {
    isReady = true;
    applyFilters();
    fit(nodes);
    canvas.dataset.ready = "true";
  });

  // What tests and the console may ask; it changes nothing.
  window.iamPreflightGraph = Object.freeze({
    place: function (id) {
      const node = byId.get(id);
      return node && node.shown ? screen(node) : null;
    },
    count: () => ({ nodes: nodes.length, edges: edges.length, paths: edges.filter((e) => e.isPath).length }),
  });
})();
