// Shows /openapi.json to people. Everything is written as text, never as HTML.
"use strict";

const methods = ["get", "post", "put", "delete"];

function element(name, attributes, ...children) {
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
	e.append(...children.filter((c) => c !== null && c !== undefined));
	return e;
}

function resolve(document, schema) {
	if (!schema || !schema.$ref) return schema || {};
	return schema.$ref.split("/").slice(1).reduce((at, key) => at[key], document);
}

// typeOf names a schema's type in a few words.
function typeOf(schema) {
	if (schema.$ref) return schema.$ref.split("/").pop();
	if (schema.enum) return schema.enum.join(" | ");
	const type = [].concat(schema.type || "any").join(" or ");
	if (schema.items) return "list of " + typeOf(schema.items);
	return schema.format ? type + ", " + schema.format : type;
}

// example makes a value that a schema allows.
function example(document, schema, depth) {
	const s = resolve(document, schema);
	if (s.examples) return s.examples[0];
	if (s.enum) return s.enum[0];
	const type = [].concat(s.type || [])[0];
	if (type === "array") return depth > 3 ? [] : [example(document, s.items, depth + 1)];
	if (type === "object") {
		const out = {};
		for (const [name, property] of Object.entries(s.properties || {})) {
			if (depth <= 3) out[name] = example(document, property, depth + 1);
		}
		return out;
	}
	if (type === "integer" || type === "number") return s.minimum || 0;
	if (type === "boolean") return false;
	return s.format === "date-time" ? "2026-01-05T00:30:00Z" : "…";
}

function fields(document, schema) {
	const s = resolve(document, schema);
	const inner = s.type === "array" ? resolve(document, s.items) : s;
	if (!inner.properties) return null;
	const rows = Object.entries(inner.properties).map(([name, p]) =>
		element("tr", null, element("td", null, element("code", null, name)),
			element("td", null, typeOf(p)),
			element("td", null, (inner.required || []).includes(name) ? "" : "may be absent"),
			element("td", null, p.description || "")));
	return element("table", null, element("tbody", null, ...rows));
}

function parametersOf(operation) {
	if (!operation.parameters) return null;
	const rows = operation.parameters.map((p) => element("tr", null,
		element("td", null, element("code", null, p.name)), element("td", null, p.in), element("td", null, typeOf(p.schema || {})),
		element("td", null, p.description || (p.schema || {}).description || "")));
	return element("div", null, element("h3", null, "Parameters"), element("table", null, element("tbody", null, ...rows)));
}

function curl(method, path, operation, sample) {
	let line = "curl";
	if (method !== "get") line += " -X " + method.toUpperCase();
	if (operation.security) line += ' -H "Authorization: Bearer $(commshub token)"';
	const content = (operation.requestBody || {}).content || {};
	if (content["application/json"]) line += " --json '" + JSON.stringify(sample) + "'";
	if (content["application/octet-stream"]) line += " --data-binary @meter.ota";
	if (path === "/events") line += " -N";
	return line + " " + location.origin + path;
}

function card(document, method, path, operation) {
	const body = element("div", null);
	if (operation.description) body.append(element("p", null, operation.description));
	const parameters = parametersOf(operation);
	if (parameters) body.append(parameters);
	const json = ((operation.requestBody || {}).content || {})["application/json"];
	const sample = json ? example(document, json.schema, 0) : null;
	if (json) body.append(element("h3", null, "Body"), fields(document, json.schema) || "");
	body.append(element("h3", null, "Example"), element("pre", null, curl(method, path, operation, sample)));
	body.append(element("h3", null, "Answers"));
	for (const [status, response] of Object.entries(operation.responses).sort()) {
		const [type, content] = Object.entries(response.content || {})[0] || ["", null];
		body.append(element("p", null, element("code", null, status), " " + (response.description || ""), element("span", { class: "quiet" }, " " + type)));
		if (content && type === "application/json") {
			body.append(fields(document, content.schema) || "",
				element("pre", null, JSON.stringify(example(document, content.schema, 0), null, 2)));
		}
	}
	return element("details", { id: operation.operationId, "data-text": (method + " " + path + " " + operation.summary).toLowerCase() },
		element("summary", null, element("span", { class: "method" }, method.toUpperCase()), element("code", null, path), " ",
			element("span", { class: "what" }, operation.summary)),
		body);
}

function show(document) {
	const main = window.document.getElementById("operations");
	const tags = window.document.getElementById("tags");
	main.replaceChildren();
	for (const tag of document.tags) {
		tags.append(element("a", { href: "#" + tag.name }, tag.name));
		const section = element("section", { "aria-labelledby": tag.name },
			element("h2", { id: tag.name }, tag.name), element("p", { class: "quiet" }, tag.description));
		for (const [path, item] of Object.entries(document.paths).sort()) {
			for (const method of methods) {
				if (item[method] && item[method].tags.includes(tag.name)) section.append(card(document, method, path, item[method]));
			}
		}
		main.append(section);
	}
	const linked = location.hash && window.document.getElementById(location.hash.slice(1));
	if (linked) {
		linked.open = true;
		linked.scrollIntoView();
	}
}

document.getElementById("find").addEventListener("input", (event) => {
	const wanted = event.target.value.toLowerCase();
	for (const card of document.querySelectorAll("details")) card.hidden = !card.dataset.text.includes(wanted);
});

fetch("/openapi.json").then((r) => {
	if (!r.ok) throw new Error(r.status + " " + r.statusText);
	return r.json();
}).then(show).catch((problem) => {
	document.getElementById("operations").replaceChildren(element("p", null, "The description cannot be loaded: " + problem.message));
});
