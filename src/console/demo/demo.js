"use strict";
// The demo page: draws the view that the server streams, and sends what the person at the page does.
// Whatever anybody wrote becomes text nodes, never HTML.
const $ = (id) => document.getElementById(id);

async function post(path, body) {
  const file = body instanceof Blob;
  const type = (file ? body.type : "application/json") || "application/octet-stream";
  let says = "";
  try {
    const answer = await fetch(path, { method: "POST", body: file ? body : JSON.stringify(body ?? {}), headers: { "content-type": type } });
    if (answer.status === 413) says = "This file is too large: WhatsApp takes up to 16 MB.";
    else if (!answer.ok) says = (await answer.text()) || `The server answered ${answer.status}.`;
  } catch { says = "The server can't be reached. Is it still running?"; }
  $("problem").textContent = says;
  $("problem").hidden = !says;
}

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "onclick") node.addEventListener("click", value);
    else if (value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null && child !== ""));
  return node;
}

// ---- one message

const tap = (option) => post("/demo/tap", { id: option.id, title: option.title });
// A handle is {"id": {"id": …}}: files of a simulated number are known by id.
const file = (handle) => `/demo/file/${encodeURIComponent(handle?.id?.id ?? "")}`;
const text = (body) => el("span", { class: "body", dir: "auto" }, bold(body));
const web = (url, label, more) => el("a", { href: /^https?:/i.test(url) ? url : "#", target: "_blank", rel: "noopener noreferrer", ...more }, label);

// WhatsApp's *bold*.
function bold(body) {
  const out = document.createDocumentFragment();
  for (const part of String(body ?? "").split(/(\*[^*\n]+\*)/)) {
    const strong = part.length > 2 && part.startsWith("*") && part.endsWith("*");
    out.append(strong ? el("strong", {}, part.slice(1, -1)) : part);
  }
  return out;
}

function map(place) {
  const [lat, lng] = [Number(place.lat), Number(place.lng)];
  const shown = `${lat.toFixed(4)}, ${lng.toFixed(4)}`;
  return el("span", { class: "body" }, "📍 ", place.name ? `${place.name} ` : "", web(`https://www.openstreetmap.org/?mlat=${lat}&mlon=${lng}#map=16/${lat}/${lng}`, shown));
}

function openRows(show) {
  $("rowstitle").textContent = show.open;
  $("rowlist").replaceChildren();
  for (const section of show.sections) {
    if (section.title) $("rowlist").append(el("h3", {}, section.title));
    for (const row of section.rows) {
      $("rowlist").append(el("button", { type: "button", onclick: () => { $("rows").close(); tap(row); } }, row.title,
        row.description ? el("small", {}, row.description) : ""));
    }
  }
  $("rows").showModal();
}

// A message of ours, in the form it takes on the phone.
function drawShow(show) {
  const framed = (...options) => [show.header ? el("span", { class: "head" }, show.header) : "", text(show.body),
    show.footer ? el("span", { class: "foot" }, show.footer) : "", el("div", { class: "opts" }, ...options)];
  switch (show.show) {
    case "buttons": return framed(...show.buttons.map((button) => el("button", { type: "button", onclick: () => tap(button) }, button.title)));
    case "list": return framed(el("button", { type: "button", class: "openlist", "aria-haspopup": "dialog", onclick: () => openRows(show) }, "☰ " + show.open));
    case "link": return framed(web(show.url, "↗ " + show.label, { class: "linkbutton" }));
    case "location": return [map(show)];
    case "media": return [el("span", { class: "body" }, `📎 ${show.filename ?? show.media}`), show.caption ? text(show.caption) : ""];
    case "template": return [el("span", { class: "foot" }, `template ${show.name}`), text(show.text),
      el("div", { class: "opts" }, ...(show.parts?.replies ?? []).map((reply) => el("button", { type: "button", onclick: () => tap(reply) }, reply.title)))];
    default: return [text(show.body)];
  }
}

function drawBody(body) {
  switch (body.type) {
    case "text": return [text(body.body)];
    case "choice": return [text(body.title)];
    case "location": return [map(body)];
    case "media": {
      const caption = body.caption ? text(body.caption) : "";
      if (body.media === "voice" || body.media === "audio") return [el("audio", { controls: "", src: file(body.handle), preload: "metadata", "aria-label": "Voice note" }), caption];
      if (body.media === "photo") return [el("img", { src: file(body.handle), alt: "The customer's photo" }), caption];
      return [el("span", { class: "body" }, `📎 ${body.filename ?? body.media}`), caption];
    }
    default: return [el("span", { class: "body" }, `(${body.type})`)];
  }
}

const ticks = { queued: "🕓", sending: "🕓", sent: "✓", accepted: "✓", delivered: "✓✓", read: "✓✓", played: "✓✓" };

// The customer has not got it and never will.
const unsent = ({ line, status }) => line.line === "ours" && Boolean(status) && !ticks[status];

function drawMeta(entry) {
  const { at, status, line } = entry;
  const shown = line.line === "ours" ? status : undefined;
  return el("span", { class: "meta" + (unsent(entry) ? " failed" : "") },
    el("time", { datetime: at }, hour(at)), shown ? el("span", { title: shown }, " " + (ticks[shown] ?? shown)) : "");
}

function drawLine(entry) {
  const line = entry.line;
  const meta = () => drawMeta(entry);
  const message = (kind, ...parts) => el("li", { class: "msg " + kind }, ...parts);
  switch (line.line) {
    case "customer": return message("mine", ...drawBody(line.body), meta());
    case "withheld": return el("li", { class: "msg mine", title: "A private answer: nobody is shown it" }, "••••", meta());
    case "echo": return message("person", el("span", { class: "who" }, "from the phone"), ...drawBody(line.body), meta());
    case "ours": {
      if (!line.step.show) return null;
      const node = message((line.agent ? "person" : "bot") + (unsent(entry) ? " unsent" : ""), line.agent ? el("span", { class: "who" }, line.agent) : "", ...drawShow(line.step.show), meta());
      if (line.said_at) node.title = `${line.said_at.file}:${line.said_at.line}`;
      return node;
    }
    case "heard": return el("li", { class: "note heard", title: "What Switchboard heard in the voice note" }, `heard: “${line.text}”`);
    case "note": return el("li", { class: "note", title: "The customer does not see this" }, line.text);
    case "draft": return el("li", { class: "note", title: "The customer does not see this" }, `draft: “${line.text}”`);
    default: return null;
  }
}

// ---- the whole page

let view = {};
const drawn = new Map(); // seq → how the line looked, and its node

const zone = () => ({ timeZone: view.timezone || "UTC" });
const now = () => Date.now() + (view.ahead ?? 0) * 1000;
const hour = (at) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...zone() });

function span(seconds) {
  const [d, h, m, s] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const two = (n) => String(n).padStart(2, "0");
  return (d ? `${d} d ` : "") + (d || h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`);
}

// Only what changed is touched: a playing voice note plays on, and screen readers read new lines only.
function drawThread() {
  const thread = $("thread");
  const lines = view.thread ?? [];
  const kept = new Set(lines.map((entry) => entry.seq));
  let grown = false;
  for (const [seq, { node }] of drawn) if (!kept.has(seq)) { node?.remove(); drawn.delete(seq); }
  lines.forEach((entry, at) => {
    const look = JSON.stringify(entry.line);
    const before = drawn.get(entry.seq);
    if (before?.look === look) {
      if (before.status !== entry.status && before.node) {
        before.node.querySelector(".meta")?.replaceWith(drawMeta(entry));
        before.node.classList.toggle("unsent", unsent(entry));
      }
      before.status = entry.status;
      return;
    }
    const node = drawLine(entry);
    if (before?.node) { if (node) before.node.replaceWith(node); else before.node.remove(); }
    else if (node) {
      const next = lines.slice(at + 1).map((later) => drawn.get(later.seq)?.node).find(Boolean);
      thread.insertBefore(node, next ?? null);
      grown = true;
    }
    if (node) node.dataset.seq = entry.seq;
    drawn.set(entry.seq, { look, node, status: entry.status });
  });
  if (grown) thread.scrollTop = thread.scrollHeight;
}

function list(id, empty, nodes) {
  $(id).replaceChildren(...nodes);
  $(empty).hidden = nodes.length > 0;
}

function draw() {
  const human = view.owner !== "bot";
  $("business").textContent = view.business;
  $("avatar").textContent = [...view.business][0] ?? "";
  $("typing").textContent = view.busy ? "typing …" : "";
  $("customer").textContent = `+${view.customer.replace(/^(\d{3})(\d{3})(\d{3})/, "$1 $2 $3 ")}`;
  $("mode").textContent = human ? "a person has the chat" : "autopilot";
  $("mode").className = "badge " + (human ? "human" : "bot");
  $("where").textContent = view.where?.name ?? "no flow";
  $("line").textContent = view.where?.line ?? "";
  $("position").textContent = view.position ? JSON.stringify(view.position, null, 1) : "";
  $("take").disabled = human || !view.position;
  $("return").disabled = !human;
  $("shopdown").checked = Boolean(view.shop_down);
  list("values", "novalues", (view.values ?? []).map(([name, value]) =>
    el("tr", {}, el("td", {}, name), el("td", { dir: "auto" }, typeof value === "string" ? value : JSON.stringify(value)))));
  const notes = (view.thread ?? []).filter((entry) => entry.line.line === "note" && entry.line.kind !== "session");
  list("notes", "nonotes", notes.slice(-6).map(({ line }) => el("li", {}, line.text, " ",
    el("small", {}, line.place ? `${line.place.file}:${line.place.line}` : ""))));
  drawThread();
  tick();
}

function tick() {
  if (!view.business) return;
  const at = new Date(now());
  $("clock").dateTime = at.toISOString();
  $("clock").textContent = at.toLocaleString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", ...zone() });
  $("ahead").textContent = `${view.timezone}${view.ahead ? `, ${span(view.ahead)} ahead` : ""}`;
  $("timers").replaceChildren(...(view.timers ?? []).map(([name, due]) =>
    el("li", {}, name, el("span", {}, `in ${span(Math.max(0, (new Date(due) - now()) / 1000))}`))));
}

function connect() {
  const source = new EventSource("/demo/view");
  source.onopen = () => { $("link").textContent = "connected"; };
  source.onmessage = (event) => { view = JSON.parse(event.data); draw(); };
  source.onerror = () => { $("link").textContent = "connection lost, trying again …"; };
}

// ---- what the person at the page does

function onText(form, input, path) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    const said = $(input).value.trim();
    if (said) { post(path, { text: said }); $(input).value = ""; }
  });
}
onText("say", "text", "/demo/text");
onText("staff", "stafftext", "/demo/staff");

function onFile(input, path) {
  $(input).addEventListener("change", () => {
    const chosen = $(input).files[0];
    if (chosen) post(path, chosen);
    $(input).value = "";
  });
}
onFile("photofile", "/demo/photo");
onFile("voicefile", "/demo/voice");

const onClick = (id, act) => $(id).addEventListener("click", act);
onClick("attach", () => $("photofile").click());
onClick("upload", () => $("voicefile").click());
onClick("take", () => post("/demo/take"));
onClick("return", () => post("/demo/return"));
onClick("new", () => post("/demo/new"));
onClick("pin", () => $("places").showModal());
onClick("noplace", () => $("places").close());
onClick("clocks", (event) => {
  const seconds = Number(event.target.dataset?.seconds);
  if (seconds) post("/demo/clock", { seconds });
});
$("shopdown").addEventListener("change", (event) => post("/demo/shop", { down: event.target.checked }));
$("place").addEventListener("submit", (event) => {
  event.preventDefault();
  $("places").close();
  post("/demo/location", { lat: Number($("lat").value), lng: Number($("lng").value) });
});

// ---- the microphone; a recording leaves as 16-bit WAV, which every browser can make and the server reads

let recording = null;
onClick("mic", async () => {
  const pressed = (yes) => { $("mic").setAttribute("aria-pressed", String(yes)); $("mic").title = yes ? "Stop and send" : "Record a voice note"; };
  if (recording) {
    const note = recording.stop();
    recording = null;
    pressed(false);
    post("/demo/voice", note);
    return;
  }
  try {
    recording = await record();
    pressed(true);
  } catch (error) {
    $("problem").textContent = `The microphone can't be used: ${error.message}`;
    $("problem").hidden = false;
  }
});

async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  const context = new AudioContext();
  await context.audioWorklet.addModule("/recorder.js");
  const source = context.createMediaStreamSource(stream);
  const node = new AudioWorkletNode(context, "recorder");
  const chunks = [];
  let samples = 0;
  node.port.onmessage = (event) => {
    chunks.push(event.data);
    samples += event.data.length;
    $("mic").dataset.seconds = (samples / context.sampleRate).toFixed(1);
  };
  source.connect(node);
  const stop = () => {
    source.disconnect();
    stream.getTracks().forEach((track) => track.stop());
    const rate = context.sampleRate;
    context.close();
    delete $("mic").dataset.seconds;
    return wav(chunks, rate);
  };
  return { stop };
}

function wav(chunks, rate) {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const out = new DataView(new ArrayBuffer(44 + length * 2));
  const word = (at, letters) => [...letters].forEach((letter, i) => out.setUint8(at + i, letter.charCodeAt(0)));
  word(0, "RIFF"); out.setUint32(4, 36 + length * 2, true); word(8, "WAVEfmt "); out.setUint32(16, 16, true);
  out.setUint16(20, 1, true); out.setUint16(22, 1, true); out.setUint32(24, rate, true); out.setUint32(28, rate * 2, true);
  out.setUint16(32, 2, true); out.setUint16(34, 16, true); word(36, "data"); out.setUint32(40, length * 2, true);
  let at = 44;
  for (const chunk of chunks) for (const sample of chunk) { out.setInt16(at, Math.max(-1, Math.min(1, sample)) * 32767, true); at += 2; }
  return new Blob([out], { type: "audio/wav" });
}

setInterval(tick, 1000);
connect();
