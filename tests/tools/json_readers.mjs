// Reads documents with JSON.parse, one a line in base64, and writes what each says.
//
// The spelling is that of `tests/json_corpus/dump.rs`; a document that is refused is a line `refused`.

import { createInterface } from "node:readline";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function said(value) {
  if (value === null) return "n";
  if (value === true) return "t";
  if (value === false) return "f";
  if (typeof value === "number") return number(value);
  if (typeof value === "string") return `"${text(value)}"`;
  if (Array.isArray(value)) return `[${value.map(said).join(",")}]`;
  const members = Object.keys(value).map((name) => `${text(name)}:${said(value[name])}`);
  return `{${sorted(members).join(",")}}`;
}

function number(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value + 0);
  return `#${bytes.toString("hex")}`;
}

function text(value) {
  return Buffer.from(value, "utf8").toString("hex");
}

// By name alone: the digits of a name end before those of a longer one that begins with it.
function sorted(members) {
  const name = (member) => member.slice(0, member.indexOf(":"));
  return members.sort((a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0));
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(said(JSON.parse(utf8.decode(Buffer.from(line, "base64")))));
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    console.log("refused");
  }
}
