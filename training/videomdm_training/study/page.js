// SPDX-License-Identifier: Apache-2.0
"use strict";

// ---- data ----

/** Positions of a motion as metres: base64 of little-endian int16 times `unit`, frame by frame, joint by joint. */
function unpack(text, unit) {
  const bytes = atob(text);
  const view = new DataView(new ArrayBuffer(bytes.length));
  for (let i = 0; i < bytes.length; i++) view.setUint8(i, bytes.charCodeAt(i));
  const values = new Float32Array(bytes.length / 2);
  for (let i = 0; i < values.length; i++) values[i] = view.getInt16(2 * i, true) * unit;
  return values;
}

/** CRC-32 (as in zlib) of an ASCII text, as eight hexadecimal digits. */
function crc32(text) {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i) & 0xff;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ((crc ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}

/** The answers, in the order in which they were asked for, as a file's text. */
function report(study, { participant, order, flips, choices, seconds }) {
  const answers = order.map((pair, i) => (
    { pair, flipped: flips[i], choice: choices[i], milliseconds: Math.round(1000 * seconds[i]) }));
  const told = answers.map((a) => `${a.pair}:${Number(a.flipped)}:${a.choice}:${a.milliseconds}`).join(",");
  return JSON.stringify({
    kind: "videomdm-study-answers",
    version: 2,
    study,
    participant,
    answers,
    checksum: crc32(`${study}|${participant}|${told}`),
  }, null, 1) + "\n";
}

// ---- drawing ----

const DISTANCE = 4.2, PITCH = 0.18, FOCAL = 2.3; // metres, radians, of half the picture's width

/** A camera that looks at (x, 0.9, z) from the side `yaw`: world metres to picture units, x right and y down. */
function camera(yaw, x, z) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(PITCH), Math.sin(PITCH)];
  return (px, py, pz) => {
    const dx = px - x, dy = py - 0.9, dz = pz - z;
    const right = dx * cy - dz * sy, toward = dx * sy + dz * cy;
    const depth = DISTANCE - toward * cp - dy * sp;
    const scale = FOCAL / Math.max(depth, 0.3);
    return [right * scale, -(dy * cp - toward * sp) * scale, depth];
  };
}

class Stage {
  constructor(canvas, body) {
    this.canvas = canvas;
    this.body = body;
  }

  show(motion) {
    this.motion = motion;
    this.frames = motion.length / (3 * this.body.parents.length);
  }

  joint(frame, joint) {
    const at = 3 * (frame * this.body.parents.length + joint);
    return [this.motion[at], this.motion[at + 1], this.motion[at + 2]];
  }

  draw(frame, yaw, colours) {
    const size = Math.round(this.canvas.clientWidth * (window.devicePixelRatio || 1)) || 480;
    if (this.canvas.width !== size) this.canvas.width = this.canvas.height = size;
    const context = this.canvas.getContext("2d"), half = size / 2;
    const [x, , z] = this.joint(frame, 0);
    const see = camera(yaw, x, z);
    const line = (a, b, width, colour) => {
      context.strokeStyle = colour;
      context.lineWidth = width * size / 480;
      context.lineCap = "round";
      context.beginPath();
      context.moveTo(half + a[0] * half, half + a[1] * half);
      context.lineTo(half + b[0] * half, half + b[1] * half);
      context.stroke();
    };
    context.clearRect(0, 0, size, size);
    // the floor stands still while the picture goes along with the body
    const cx = Math.round(x), cz = Math.round(z);
    for (let i = -4; i <= 4; i++) {
      line(see(cx + i, 0, cz - 4), see(cx + i, 0, cz + 4), 1, colours.line);
      line(see(cx - 4, 0, cz + i), see(cx + 4, 0, cz + i), 1, colours.line);
    }
    const bones = [];
    this.body.parents.forEach((parent, joint) => {
      if (parent < 0) return;
      const a = see(...this.joint(frame, parent)), b = see(...this.joint(frame, joint));
      bones.push([a[2] + b[2], a, b, colours[this.body.sides[joint]]]);
    });
    bones.sort((a, b) => b[0] - a[0]);
    for (const [, a, b, colour] of bones) line(a, b, 5, colour);
    const head = see(...this.joint(frame, this.body.head));
    context.fillStyle = colours.back;
    context.strokeStyle = colours.middle;
    context.lineWidth = 3 * size / 480;
    context.beginPath();
    context.arc(half + head[0] * half, half + head[1] * half, 0.1 * FOCAL / head[2] * half, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}

// ---- the study ----

const CHOICES = ["left", "same", "right"];
const CLICKED = ["play", "back"]; // buttons that space presses; everywhere else it pauses

/** Each participant sees the pairs in an order and on sides of their own, drawn by the browser. */
class Study {
  constructor(data, page) {
    this.data = data;
    this.page = page;
    this.fresh();
    this.index = 0;
    this.clock = 0;
    this.playing = true;
    this.yaw = 0.7;
    this.stages = ["left", "right"].map((side) => new Stage(page(side), data.body));
    this.restore();
    page("question").textContent = data.question;
    for (const choice of CHOICES) page(`choose-${choice}`).onclick = () => this.choose(choice);
    page("back").onclick = () => this.back();
    page("again").onclick = () => this.go(this.data.pairs.length - 1);
    page("play").onclick = () => this.pause();
    page("time").oninput = (event) => {
      this.pause(false);
      this.clock = event.target.value / 1000 * (this.stages[0].frames - 1) / data.fps;
    };
    page("save").onclick = () => this.save();
    page("next").onclick = () => this.next();
    for (const stage of this.stages) this.turns(stage.canvas);
    const open = this.choices.indexOf(null);
    this.go(open < 0 ? data.pairs.length : open);
  }

  /** Nothing is answered, by somebody who was not here before. */
  fresh() {
    const random = (count) => crypto.getRandomValues(new Uint32Array(count));
    const keys = random(this.data.pairs.length), sides = random(this.data.pairs.length);
    const order = [...keys.keys()].sort((a, b) => keys[a] - keys[b]);
    this.take({
      participant: Array.from(random(12), (value) => (value % 16).toString(16)).join(""),
      order, flips: Array.from(sides, (value) => value % 2 === 1),
      choices: order.map(() => null), seconds: order.map(() => 0),
    });
  }

  /** What one participant was shown and said: `order` holds pairs, the other lists follow it. */
  take({ participant, order, flips, choices, seconds }) {
    Object.assign(this, { participant, order, flips, choices, seconds });
    this.played = order.map(() => 0); // seconds of playing since the page was loaded
  }

  /** Whether what is shown may be answered: it has played for as long as it lasts, or was answered before. */
  watched() {
    return this.choices[this.index] !== null || this.played[this.index] >= this.stages[0].frames / this.data.fps;
  }

  /** Dragging turns both motions alike. */
  turns(canvas) {
    let last = null;
    canvas.onpointerdown = (event) => { last = event.clientX; canvas.setPointerCapture(event.pointerId); };
    canvas.onpointermove = (event) => {
      if (last === null) return;
      this.yaw -= (event.clientX - last) / 120;
      last = event.clientX;
    };
    canvas.onpointerup = canvas.onpointercancel = () => { last = null; };
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.page("end").hidden) return;
    const onSlider = event.target && event.target.id === "time";
    const does = {
      1: () => this.choose("left"), 2: () => this.choose("same"), 3: () => this.choose("right"),
      ...(onSlider ? {} : {
        ArrowLeft: () => this.choose("left"), ArrowDown: () => this.choose("same"), ArrowRight: () => this.choose("right"),
      }),
      " ": () => this.pause(), Backspace: () => this.back(),
    }[event.key];
    if (!does || (event.key === " " && event.target && CLICKED.includes(event.target.id))) return;
    event.preventDefault();
    if (event.repeat) return;
    if (event.key === " ") this.unfocus(); // some browsers press a focused button when space is let go
    does();
  }

  /** No button keeps the focus: the next key would press it. */
  unfocus() {
    document.activeElement?.blur?.();
  }

  go(index) {
    this.index = index;
    this.unfocus();
    const pairs = this.data.pairs, done = index >= pairs.length;
    this.page("study").hidden = done;
    this.page("end").hidden = !done;
    if (done) {
      this.page("text").value = this.text();
      this.page("next").disabled = true; // until the answers are saved
      return;
    }
    const pair = pairs[this.order[index]], [left, right] = this.flips[index] ? [1, 0] : [0, 1];
    this.page("caption").textContent = `“${pair.caption}”`;
    this.page("place").textContent = `${index + 1} of ${pairs.length}`;
    this.page("progress").value = this.choices.filter((c) => c !== null).length / pairs.length;
    this.page("back").disabled = index === 0;
    for (const choice of CHOICES) {
      this.page(`choose-${choice}`).setAttribute("aria-pressed", String(this.choices[index] === choice));
    }
    this.stages[0].show(unpack(pair.motions[left], pair.unit));
    this.stages[1].show(unpack(pair.motions[right], pair.unit));
    this.clock = 0;
    this.pause(true);
    this.allow();
  }

  /** Answers are open once the motions were watched. */
  allow() {
    const open = this.watched();
    for (const choice of CHOICES) this.page(`choose-${choice}`).disabled = !open;
    this.page("wait").hidden = open;
  }

  choose(choice) {
    if (!this.watched()) return;
    this.choices[this.index] = choice;
    this.keep();
    const open = this.choices.indexOf(null, this.index + 1);
    const skipped = this.choices.indexOf(null);
    this.go(open >= 0 ? open : skipped >= 0 ? skipped : this.data.pairs.length);
  }

  back() {
    if (this.index > 0) this.go(this.index - 1);
  }

  pause(playing = !this.playing) {
    this.playing = playing;
    this.page("play").textContent = playing ? "Pause" : "Play";
  }

  /** One picture, `elapsed` seconds after the one before. */
  tick(elapsed, colours) {
    if (this.index >= this.data.pairs.length) return;
    this.seconds[this.index] += elapsed;
    const frames = this.stages[0].frames, length = frames / this.data.fps + 0.5; // a rest before it starts again
    if (this.playing) {
      this.clock = (this.clock + elapsed) % length;
      this.played[this.index] += elapsed;
      this.allow();
    }
    const frame = Math.min(Math.floor(this.clock * this.data.fps), frames - 1);
    if (this.playing) this.page("time").value = Math.round(1000 * frame / Math.max(frames - 1, 1));
    for (const stage of this.stages) stage.draw(frame, this.yaw, colours);
  }

  text() {
    return report(this.data.study, this);
  }

  save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.text()], { type: "application/json" }));
    link.download = `answers-${this.data.study}-${this.participant}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    this.page("next").disabled = false;
  }

  /** Somebody else answers on the same machine. */
  next() {
    try {
      localStorage.removeItem(this.data.study);
    } catch { /* nothing was kept */ }
    this.fresh();
    this.go(0);
  }

  /** What was answered stays when the page is loaded again. */
  keep() {
    try {
      const { participant, order, flips, choices, seconds } = this;
      localStorage.setItem(this.data.study, JSON.stringify({ participant, order, flips, choices, seconds }));
    } catch { /* a browser that keeps nothing for local files */ }
  }

  restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.data.study));
      if (kept.order.length === this.order.length) this.take(kept);
    } catch { /* nothing was kept */ }
  }
}

function begin() {
  const page = (id) => document.getElementById(id);
  const study = new Study(JSON.parse(page("data").textContent), page);
  const style = getComputedStyle(document.documentElement);
  const colours = () => Object.fromEntries(
    ["left", "right", "middle", "line", "back"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  document.addEventListener("keydown", (event) => study.key(event));
  let before = null;
  const frame = (now) => {
    study.tick(before === null ? 0 : Math.min((now - before) / 1000, 0.25), colours());
    before = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  return study;
}

begin();
