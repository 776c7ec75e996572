// Reads ZCL frames, one JSON object with cluster and hex a line, has zigbee-herdsman take
// each apart and write it again, and prints what came, or why not.
"use strict";

const path = require("node:path");
const { Zcl } = require(path.join(process.argv[2], "zigbee-herdsman"));

function again({ cluster, hex }) {
  const data = Buffer.from(hex, "hex");
  const header = Zcl.Header.fromBuffer(data);
  if (!header) return "no header";
  const frame = Zcl.Frame.fromBuffer(cluster, header, data, {});
  return frame.toBuffer().toString("hex");
}

const lines = require("node:fs").readFileSync(0, "utf8").split("\n").filter(Boolean);
console.log(lines.map((line) => {
  try {
    return again(JSON.parse(line));
  } catch (e) {
    return `${e}`.replaceAll("\n", " ");
  }
}).join("\n"));
