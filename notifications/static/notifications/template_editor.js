// The editor of wordings: while somebody types, the server judges them as saving would and fills them with sample
// values, and this shows both. Without this file, or without an answer, the form works all the same.
const PAUSE = 400;
const PARTS = ["subject", "text", "html"];
const text = document.getElementById("id_text");
const panel = document.querySelector("[data-template-preview]");
let waiting;
let latest = 0;

function element(name, content, className) {
  const made = document.createElement(name);
  if (content !== undefined) made.textContent = content;
  if (className) made.className = className;
  return made;
}

const field = (name) => document.getElementById(`id_${name}`);
const placed = (name) => (field(name) && field(name).value !== undefined ? field(name).value : text.dataset[name] || "");

function faults(told) {
  const list = element("ul", undefined, "nook-faults");
  for (const {path, message} of told) {
    const line = element("li");
    const button = element("button", path);
    button.type = "button";
    button.addEventListener("click", () => field(path) && field(path).focus());
    line.append(button, element("span", message));
    list.append(line);
  }
  return list;
}

function mail(title, words) {
  const made = element("section", undefined, "nook-mail");
  const head = element("header", undefined, "nook-mail-head");
  head.append(element("p", title, "nook-mail-to"), element("h3", words.subject, "nook-mail-subject"));
  const parts = element("div", undefined, words.html ? "nook-mail-parts" : "");
  if (words.html) {
    const frame = element("iframe", undefined, "nook-mail-html");
    frame.title = `${title}: the HTML part`;
    frame.setAttribute("sandbox", "");
    frame.setAttribute("referrerpolicy", "no-referrer");
    frame.srcdoc = words.html;
    parts.append(frame);
  }
  const plain = element("pre", words.text, "nook-mail-text");
  plain.tabIndex = 0;
  parts.append(plain);
  made.append(head, parts);
  return made;
}

function show(said) {
  const shown = [];
  if (said.variables.length) {
    const line = element("p", "Variables: ", "nook-note");
    // One element for each: a line breaks between two names, never within one.
    for (const name of said.variables) line.append(element("code", `{{ ${name} }}`, "nook-variable"), " ");
    shown.push(line);
  }
  const isBlank = PARTS.every((part) => !field(part).value);
  if (said.faults.length && !isBlank) shown.push(faults(said.faults));
  if (said.preview) shown.push(mail("What would be said", said.preview));
  if (said.file) shown.push(mail("What the file says", said.file));
  panel.replaceChildren(...shown);
}

async function check() {
  const turn = ++latest;
  const body = new FormData();
  body.append("csrfmiddlewaretoken", text.form.elements.csrfmiddlewaretoken.value);
  for (const name of ["kind", "channel", "locale"]) body.append(name, placed(name));
  for (const part of PARTS) body.append(part, field(part).value.replaceAll("\r\n", "\n"));
  const response = await fetch(text.dataset.check, {method: "POST", body, credentials: "same-origin"});
  if (!response.ok || turn !== latest) return;
  show(await response.json());
}

function checkSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(() => check().catch(() => {}), PAUSE);
}

if (text && panel && text.dataset.check && !text.readOnly) {
  for (const name of ["kind", "channel", "locale", ...PARTS]) {
    if (field(name)) field(name).addEventListener("input", checkSoon);
  }
  checkSoon();
}
