// The editor of resource types: while somebody types, the server judges schema and workflow as saving would, and this
// shows what it says beside them. Without this file, or without an answer, the form works all the same.
const PAUSE = 400;
const schema = document.getElementById("id_schema");
const workflow = document.getElementById("id_workflow");
let waiting;
let latest = 0;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function table(heads, rows) {
  const made = element("table", undefined, "nook-table");
  const line = (cells, kind) => {
    const row = element("tr");
    row.append(...cells.map((cell) => element(kind, cell)));
    return row;
  };
  const head = element("thead");
  head.append(line(heads, "th"));
  const body = element("tbody");
  body.append(...rows.map((cells) => line(cells, "td")));
  made.append(head, body);
  return made;
}

// Select the last name of the path that stands in the text, each looked for after the one before it.
function show(editor, path) {
  let place = 0;
  let found = null;
  for (const name of path.split(".").slice(1)) {
    const at = editor.value.indexOf(`"${name}"`, place);
    if (at < 0) continue;
    found = [at, at + name.length + 2];
    place = found[1];
  }
  if (!found) return;
  editor.focus();
  editor.setSelectionRange(...found);
}

function faults(editor, told) {
  const list = element("ul", undefined, "nook-faults");
  for (const {path, message} of told) {
    const line = element("li");
    const button = element("button", path);
    button.type = "button";
    button.addEventListener("click", () => show(editor, path));
    line.append(button, element("span", message));
    list.append(line);
  }
  return list;
}

function fate(sample) {
  const are = sample.refused === 0 ? "None" : `${sample.refused.toLocaleString("en")}`;
  const made = element("p", `${are} of ${sample.judged_text} would be refused.`);
  made.className = sample.refused === 0 ? "nook-good" : "nook-warning";
  return made;
}

function saySchema(panel, told, {fields, example, sample}) {
  if (told.length) return panel.replaceChildren(faults(schema, told));
  const parts = [element("p", "The schema is valid.", "nook-good")];
  if (sample) parts.push(fate(sample));
  if (fields.length) {
    parts.push(element("h3", "Fields"), table(["path", "type", "", "rules"], fields));
  }
  if (example) {
    parts.push(element("h3", example.faults.length ? "No example" : "Accepts, for example"), element("pre", example.text));
    if (example.faults.length) {
      parts.push(element("p", "This is as near as an example comes; give `examples` in the schema for a better one:"));
      parts.push(faults(schema, example.faults));
    }
  }
  panel.replaceChildren(...parts);
}

function sayWorkflow(panel, told, {transitions}) {
  if (told.length) return panel.replaceChildren(faults(workflow, told));
  const parts = [element("p", transitions ? "The workflow is valid." : "No workflow: resources stay active.", "nook-good")];
  if (transitions && transitions.length) {
    parts.push(table(["transition", "from", "to", "for", "needs"], transitions));
  }
  panel.replaceChildren(...parts);
}

async function check() {
  const turn = ++latest;
  const body = new FormData();
  body.append("csrfmiddlewaretoken", schema.form.elements.csrfmiddlewaretoken.value);
  body.append("key", schema.dataset.key || "");
  body.append("schema", schema.value);
  body.append("workflow", workflow.value);
  const response = await fetch(schema.dataset.check, {method: "POST", body, credentials: "same-origin"});
  if (!response.ok || turn !== latest) return;
  const said = await response.json();
  const about = (name) => said.faults.filter(({path}) => path === name || path.startsWith(`${name}.`));
  saySchema(document.querySelector("[data-said-of=schema]"), about("schema"), said);
  sayWorkflow(document.querySelector("[data-said-of=workflow]"), about("workflow"), said);
}

function checkSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(() => check().catch(() => {}), PAUSE);
}

// Tab indents, as in every editor; Escape and then Tab leaves the field, for whoever has no mouse.
function indent(event) {
  const editor = event.target;
  if (event.key === "Escape") editor.dataset.leaves = "yes";
  if (event.key !== "Tab" || event.shiftKey || editor.dataset.leaves) return;
  event.preventDefault();
  editor.setRangeText("  ", editor.selectionStart, editor.selectionEnd, "end");
  checkSoon();
}

if (schema && workflow && !schema.readOnly) {
  for (const editor of [schema, workflow]) {
    editor.addEventListener("input", checkSoon);
    editor.addEventListener("keydown", indent);
    editor.addEventListener("focus", () => delete editor.dataset.leaves);
  }
  checkSoon();
}
