"use strict";
// The demo page: draws the view that the server streams, and sends what the person at the page does.
const $ = (id) => document.getElementById(id);

async function post(path, body, type) {
  const init = { method: "POST" };
  if (body instanceof Blob) { init.body = body; init.headers = { "content-type": type || body.type || "application/octet-stream" }; }
  else { init.body = JSON.stringify(body ?? {}); init.headers = { "content-type": "application/json" }; }
  const answer = await fetch(path, init);
  if (!answer.ok) $("link").textContent = (await answer.text()) || `error ${answer.status}`;
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

const tap = (option) => post("/demo/tap", { id: option.id, title: option.title });
const media = (handle) => typeof handle === "string" ? handle : `/demo/file/${encodeURIComponent((handle.id && (handle.id.id ?? handle.id)) ?? "")}`;

function openRows(show) {
  $("rowstitle").textContent = show.open;
  const list = $("rowlist");
  list.replaceChildren();
  for (const section of show.sections) {
    if (section.title) list.append(el("h3", {}, section.title));
    for (const row of section.rows) {
      list.append(el("button", { type: "button", onclick: () => { $("rows").close(); tap(row); } }, row.title,
        row.description ? el("small", {}, row.description) : ""));
    }
  }
  $("rows").showModal();
}

// One message of ours, by the form it takes on the phone.
function drawShow(show) {
  const parts = [];
  const frame = () => {
    if (show.header) parts.push(el("strong", {}, show.header + "\n"));
    parts.push(el("span", { class: "body", dir: "auto" }, bold(show.body)));
    if (show.footer) parts.push(el("span", { class: "foot" }, "\n" + show.footer));
  };
  switch (show.show) {
    case "buttons":
      frame();
      parts.push(el("div", { class: "opts" }, ...show.buttons.map((b) => el("button", { type: "button", onclick: () => tap(b) }, b.title))));
      break;
    case "list":
      frame();
      parts.push(el("div", { class: "opts" }, el("button", { type: "button", class: "openlist", onclick: () => openRows(show) }, "☰ " + show.open)));
      break;
    case "link":
      frame();
      parts.push(el("div", { class: "opts" }, el("a", { href: /^https?:/i.test(show.url) ? show.url : "#", target: "_blank", rel: "noopener noreferrer" }, "↗ " + show.label)));
      break;
    case "location": parts.push(`📍 ${show.name ?? ""} ${show.lat}, ${show.lng}`); break;
    case "media": parts.push(`📎 ${show.filename ?? show.media}${show.caption ? "\n" + show.caption : ""}`); break;
    case "template": parts.push(el("span", { class: "foot" }, `template ${show.name}\n`), show.text); break;
    default: parts.push(el("span", { class: "body", dir: "auto" }, bold(show.body ?? "")));
  }
  return parts;
}

// WhatsApp's *bold*, without reading anything as HTML.
function bold(text) {
  const out = document.createDocumentFragment();
  String(text).split(/(\*[^*\n]+\*)/).forEach((part) => {
    const strong = part.length > 2 && part.startsWith("*") && part.endsWith("*");
    out.append(strong ? el("strong", {}, part.slice(1, -1)) : part);
  });
  return out;
}

function drawBody(body) {
  switch (body.type) {
    case "text": return [el("span", { class: "body", dir: "auto" }, body.body)];
    case "choice": return [el("span", { class: "body", dir: "auto" }, body.title)];
    case "location": return [`📍 ${body.name ?? "location"} `, el("a", { href: `https://maps.example/?q=${body.lat},${body.lng}`, rel: "noopener noreferrer" }, `${body.lat}, ${body.lng}`)];
    case "media":
      if (body.media === "voice" || body.media === "audio") return [el("audio", { controls: "", src: media(body.handle), preload: "none" })];
      if (body.media === "photo") return [el("img", { src: media(body.handle), alt: "photo" }), body.caption ?? ""];
      return [`📎 ${body.filename ?? body.media}`];
    default: return [`(${body.type})`];
  }
}

const hour = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const ticks = { sent: "✓", delivered: "✓✓", read: "✓✓", accepted: "✓" };

function drawLine(entry) {
  const line = entry.line;
  const meta = (status) => el("span", { class: "meta" + (status === "failed" || status === "dead" ? " failed" : "") },
    el("time", { datetime: entry.at }, hour(entry.at)), status ? " " + (ticks[status] ?? status) : "");
  switch (line.line) {
    case "customer": return el("li", { class: "msg mine", "data-seq": entry.seq }, ...drawBody(line.body), meta());
    case "echo": return el("li", { class: "msg", "data-seq": entry.seq }, el("div", { class: "who" }, "from the phone"), ...drawBody(line.body), meta());
    case "ours": return line.step.show ? el("li", { class: "msg" + (line.agent ? " person" : " bot"), "data-seq": entry.seq,
      title: line.said_at ? `${line.said_at.file}:${line.said_at.line}` : "" },
      line.agent ? el("div", { class: "who" }, line.agent) : "", ...drawShow(line.step.show), meta(entry.status)) : null;
    case "heard": return el("li", { class: "note heard", "data-seq": entry.seq }, `heard: “${line.text}”`);
    case "note": return el("li", { class: "note", "data-seq": entry.seq }, line.text);
    default: return null;
  }
}

let last = "";
function draw(view) {
  $("business").textContent = view.business;
  $("clock").textContent = new Date(view.clock).toLocaleString();
  $("clock").dateTime = view.clock;
  $("typing").textContent = view.typing ? "typing …" : "";
  const human = view.owner !== "bot";
  $("mode").textContent = human ? "people have the chat" : "autopilot";
  $("mode").className = "badge " + (human ? "human" : "bot");
  $("where").textContent = view.where ?? "no flow (idle)";
  $("position").textContent = view.position ? JSON.stringify(view.position, null, 1) : "";
  $("timers").replaceChildren(...(view.timers ?? []).map(([id, due]) => el("li", {}, `⏱ ${hour(due)} `, el("small", {}, id))));
  $("values").replaceChildren(...(view.values ?? []).map(([name, value]) =>
    el("tr", {}, el("td", {}, name), el("td", {}, typeof value === "string" ? value : JSON.stringify(value)))));
  const notes = (view.thread ?? []).filter((entry) => entry.line.line === "note" && entry.line.kind !== "session");
  $("notes").replaceChildren(...notes.slice(-8).map((entry) => el("li", {}, entry.line.text, " ",
    el("small", {}, entry.line.place ? `${entry.line.place.file}:${entry.line.place.line}` : ""))));
  $("shopdown").checked = Boolean(view.shop_down);
  const drawn = JSON.stringify(view.thread);
  if (drawn !== last) {
    last = drawn;
    const thread = $("thread");
    thread.replaceChildren(...(view.thread ?? []).map(drawLine).filter(Boolean));
    thread.scrollTop = thread.scrollHeight;
  }
}

function connect() {
  const source = new EventSource("/demo/view");
  source.onopen = () => { $("link").textContent = "connected"; };
  source.onmessage = (event) => draw(JSON.parse(event.data));
  source.onerror = () => { $("link").textContent = "connection lost, trying again …"; };
}

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text) { post("/demo/text", { text }); $("text").value = ""; }
});
$("clocks").addEventListener("click", (event) => {
  const seconds = Number(event.target.dataset?.seconds);
  if (seconds) post("/demo/clock", { seconds });
});
$("staff").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("stafftext").value.trim();
  if (text) { post("/demo/staff", { text }); $("stafftext").value = ""; }
});
$("take").addEventListener("click", () => post("/demo/take"));
$("return").addEventListener("click", () => post("/demo/return"));
$("new").addEventListener("click", () => post("/demo/new"));
$("shopdown").addEventListener("change", (event) => post("/demo/shop", { down: event.target.checked }));
$("attach").addEventListener("click", () => $("photofile").click());
$("photofile").addEventListener("change", (event) => { if (event.target.files[0]) post("/demo/photo", event.target.files[0]); event.target.value = ""; });
$("voicefile").addEventListener("change", (event) => { if (event.target.files[0]) post("/demo/voice", event.target.files[0]); event.target.value = ""; });
$("pin").addEventListener("click", () => {
  const fallback = () => post("/demo/location", { lat: 38.7069, lng: -9.1366 });
  if (!navigator.geolocation) return fallback();
  navigator.geolocation.getCurrentPosition((at) => post("/demo/location", { lat: at.coords.latitude, lng: at.coords.longitude }), fallback, { timeout: 1500 });
});

// A recorded voice note leaves as 16-bit WAV: every browser can make it and the server reads it.
let recording = null;
$("mic").addEventListener("click", async () => {
  if (recording) { const wav = recording.stop(); recording = null; $("mic").setAttribute("aria-pressed", "false"); post("/demo/voice", wav); return; }
  try {
    recording = await record();
    $("mic").setAttribute("aria-pressed", "true");
  } catch (error) { $("link").textContent = `the microphone can't be used: ${error.message}`; }
});

async function record() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: true } });
  const context = new AudioContext();
  await context.audioWorklet.addModule("/recorder.js");
  const source = context.createMediaStreamSource(stream);
  const node = new AudioWorkletNode(context, "recorder");
  const chunks = [];
  node.port.onmessage = (event) => chunks.push(event.data);
  source.connect(node);
  return { stop() { source.disconnect(); stream.getTracks().forEach((track) => track.stop()); const rate = context.sampleRate; context.close(); return wav(chunks, rate); } };
}

function wav(chunks, rate) {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const view = new DataView(new ArrayBuffer(44 + length * 2));
  const word = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  word(0, "RIFF"); view.setUint32(4, 36 + length * 2, true); word(8, "WAVEfmt "); view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); view.setUint16(22, 1, true); view.setUint32(24, rate, true); view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true); view.setUint16(34, 16, true); word(36, "data"); view.setUint32(40, length * 2, true);
  let at = 44;
  for (const chunk of chunks) for (const sample of chunk) { view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 32767, true); at += 2; }
  return new Blob([view], { type: "audio/wav" });
}

connect();
