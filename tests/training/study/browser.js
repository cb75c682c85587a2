// SPDX-License-Identifier: Apache-2.0
// As much of a browser as the page of a study touches: reads the page's path and what is done, prints what was seen.
// Done, with commas between: a key; key@id, the key on the focused element `id`; ~2.5, seconds that go by; higher, the
// key for the side where the head is higher; reload; and a click on save or next.
"use strict";
const fs = require("fs");
const [path, deeds] = process.argv.slice(2);
const html = fs.readFileSync(path, "utf8");
const blocks = [...html.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)];
const drawn = { lines: 0, arcs: 0, values: [] };
const body = { tagName: "BODY", id: "" };
const kept = {}, listeners = {}, blobs = [], links = [], states = [];
let elements, paint, now = 0;

const element = (id) => {
  const made = {
    id, hidden: false, disabled: false, textContent: "", value: 0, clientWidth: 300, attributes: {}, head: 0,
    tagName: (html.match(new RegExp(`<(\\w+)[^>]*id="${id}"`)) ?? [0, "a"])[1].toUpperCase(),
    setAttribute(name, value) { this.attributes[name] = value; },
    getContext: () => context, click() { links.push(this); },
    blur() { if (document.activeElement === this) document.activeElement = body; },
  };
  const context = {
    beginPath() {}, stroke() {}, fill() {}, clearRect() {},
    moveTo(x, y) { drawn.values.push(x, y); },
    lineTo(x, y) { drawn.lines++; drawn.values.push(x, y); },
    arc(x, y, r) { drawn.arcs++; drawn.values.push(x, y, r); made.head = y; },
  };
  return made;
};
global.window = { devicePixelRatio: 1 };
global.localStorage = { getItem: (k) => kept[k] ?? null, setItem: (k, v) => { kept[k] = v; }, removeItem: (k) => { delete kept[k]; } };
global.getComputedStyle = () => ({ getPropertyValue: () => " #123456" });
global.requestAnimationFrame = (f) => { paint = f; };
global.document = {
  documentElement: {}, body,
  addEventListener: (name, f) => { listeners[name] = f; },
  createElement: () => element("a"),
  getElementById(id) {
    if (!html.includes(`id="${id}"`)) throw new Error(`the page has no ${id}`);
    return (elements[id] ??= element(id));
  },
};
URL.createObjectURL = (blob) => { blobs.push(blob); return "blob:x"; };
URL.revokeObjectURL = () => {};

function load() {
  elements = {};
  document.activeElement = body;
  document.getElementById("data").textContent = blocks.find((b) => b[1].includes("json"))[2];
  (0, eval)(blocks.find((b) => !b[1])[2]);
}

function press(key, id) {
  if (id) document.activeElement = document.getElementById(id);
  const target = document.activeElement;
  let prevented = false;
  listeners.keydown({ key, target, preventDefault() { prevented = true; } });
  // the strictest browser there is: letting go of space clicks what has the focus, prevented or not
  const clicked = key === " " && document.activeElement.tagName === "BUTTON" && !target.disabled;
  if (clicked) target.onclick();
  return { prevented, clicked, focus: document.activeElement.id };
}

load();
for (const deed of deeds.split(",")) {
  if (deed.startsWith("~")) {
    for (let i = 0; i < Number(deed.slice(1)) * 20; i++) paint((now += 50));
  } else if (deed === "save" || deed === "next") {
    if (elements[deed].disabled) throw new Error(`${deed} is locked`);
    elements[deed].onclick();
  } else if (deed === "reload") load();
  else {
    const key = deed === "higher" ? (elements.left.head < elements.right.head ? "1" : "3") : deed.split("@")[0];
    states.push({
      ...press(key, deed.split("@")[1]), place: elements.place.textContent, caption: elements.caption.textContent,
      play: elements.play.textContent, open: !elements["choose-left"].disabled, locked: elements.next.disabled,
    });
  }
}
Promise.all(blobs.map((blob) => blob.text())).then((texts) => {
  console.log(JSON.stringify({
    states, texts, names: links.map((link) => link.download), end: !elements.end.hidden, shown: elements.text?.value,
    place: elements.place.textContent, kept: Object.keys(kept), lines: drawn.lines, arcs: drawn.arcs,
    finite: drawn.values.every(Number.isFinite),
    inside: drawn.values.filter((v) => v >= 0 && v <= 300).length / drawn.values.length,
  }));
  process.exit(0);
});
