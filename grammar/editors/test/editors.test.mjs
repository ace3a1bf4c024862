// The editor's files, tested in plain Node:  node --test grammar/editors/test
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import Module from "node:module";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { tokenise } from "./tokens.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const extension = join(here, "..", "vscode");
const root = join(here, "..", "..", "..");
const require = createRequire(import.meta.url);
const json = (path) => JSON.parse(readFileSync(path, "utf8"));
const grammar = json(join(extension, "syntaxes", "flow.tmLanguage.json"));
const samples = readdirSync(join(root, "flows"))
  .filter((name) => name.endsWith(".flow"))
  .map((name) => [name, readFileSync(join(root, "flows", name), "utf8")]);

const translated = json(join(extension, "syntaxes", "strings.tmLanguage.json"));
const translations = readdirSync(join(root, "flows"))
  .filter((name) => name.endsWith(".strings"))
  .map((name) => [name, readFileSync(join(root, "flows", name), "utf8")]);

/** The last scope of the first token with this text, in a line of its own. */
function scope(line, text, of = grammar) {
  const token = tokenise(of, line)
    .flat()
    .find((token) => token.text.trim() === text);
  assert.ok(token, `no token ${text} in ${line}: ${JSON.stringify(tokenise(of, line))}`);
  return token.scopes.at(-1);
}

test("words, names, texts and blanks each have their colour", () => {
  for (const [line, text, wanted] of [
    ["step ask for the number (was which order)", "ask for the number", "entity.name.function.flow"],
    ["step ask for the number (was which order)", "which order", "entity.name.function.flow"],
    ["flow order tracking \"Where is it?\"", "order tracking", "entity.name.function.flow"],
    ["  menu \"Hi\"", "menu", "keyword.control.flow"],
    ["    \"Yes\" also \"ok\" -> book it # now", "book it", "entity.name.function.flow"],
    ["    \"Yes\" also \"ok\" -> book it # now", "also", "keyword.other.flow"],
    ["    \"Yes\" also \"ok\" -> book it # now", "# now", "comment.line.number-sign.flow"],
    ["  x → handoff to support", "support", "entity.name.type.flow"],
    ["  -> done", "done", "keyword.control.flow"],
    ["  -> done deal", "done deal", "entity.name.function.flow"],
    ["  -> flow fitting with day = day", "fitting", "entity.name.function.flow"],
    ["  say \"Hi {{ contact.first_name | default('there') }}\"", "contact.first_name", "variable.other.flow"],
    ["  say \"Hi {{ contact.first_name | default('there') }}\"", "default", "support.function.flow"],
    ["  say \"Hi {{ contact.first_name | default('there') }}\"", "'there'", "string.quoted.single.flow"],
    ["  say “curly” link \"Open\" to \"https://x.example/#a\"", "link", "keyword.other.flow"],
    ["    no reply in 10 minutes -> still there", "10 minutes", "constant.numeric.duration.flow"],
    ["  contact.vip: yes or no = no", "contact.vip", "variable.other.member.flow"],
    ["  hours mon to fri 09:00 to 18:00", "09:00", "constant.other.time.flow"],
    ["  if order.status is known", "order.status", "variable.other.flow"],
    ["  if order.status is known", "known", "keyword.other.flow"],
  ]) {
    assert.equal(scope(line, text), wanted, `${text} in ${line}`);
  }
});

test("a text over several lines ends where it ends", () => {
  const lines = tokenise(grammar, 'say """\n  # no comment\n  menu {{ a }}\n  """ # comment\ndone');
  assert.deepEqual(lines[1][0].scopes, ["source.flow", "string.quoted.triple.flow"]);
  assert.equal(lines[3].at(-1).scopes.at(-1), "comment.line.number-sign.flow");
  assert.equal(lines[4][0].scopes.at(-1), "keyword.control.flow");
});

test("a text that is not closed stops at its line", () => {
  const lines = tokenise(grammar, 'say "open {{ a\ndone');
  assert.equal(lines[1][0].scopes.at(-1), "keyword.control.flow");
});

test("keys, hashes, marks and texts of translations each have their colour", () => {
  const line = '  hello#menu.1 77a25735 stale  "Olá {{ contact.first_name | default(\'aí\') }}" also "pacote" # mais';
  for (const [text, wanted] of [
    ["hello", "entity.name.function"],
    ["menu", "support.type.property-name"],
    ["1", "constant.numeric"],
    ["77a25735", "constant.other.hash"],
    ["stale", "invalid.deprecated.stale"],
    ["also", "keyword.other"],
    ["contact.first_name", "variable.other"],
    ["default", "support.function"],
    ["'aí'", "string.quoted.single"],
    ["pacote", "string.quoted.double"],
    ["# mais", "comment.line.number-sign"],
  ]) {
    assert.equal(scope(line, text, translated), `${wanted}.flow-strings`, text);
  }
  assert.equal(scope('# "Track it" also "parcel"', '"Track it" also "parcel"', translated),
    "comment.line.number-sign.source.flow-strings");
  assert.equal(scope("# of the flow", "# of the flow", translated), "comment.line.number-sign.flow-strings");
  assert.equal(scope("unused", "unused", translated), "keyword.control.flow-strings");
  // What is no entry stands out.
  assert.equal(scope('hello 77a2 "Olá"', "77a2", translated), "invalid.illegal.flow-strings");
});

test("every translation of the sample business is coloured to its end, and nothing of it is wrong", () => {
  assert.ok(translations.length >= 5);
  for (const [name, text] of translations) {
    const lines = tokenise(translated, text);
    assert.equal(lines.map((line) => line.map((token) => token.text).join("")).join("\n"), text, name);
    for (const [index, line] of lines.entries()) {
      for (const token of line.filter((token) => /\p{L}/u.test(token.text))) {
        const last = token.scopes.at(-1);
        assert.ok(token.scopes.length > 1, `${name}:${index + 1}: ${token.text} has no colour`);
        assert.ok(!last.startsWith("invalid.illegal"), `${name}:${index + 1}: ${token.text} is ${last}`);
      }
    }
  }
});

test("every line of the sample business is coloured to its end, and nothing is lost", () => {
  assert.ok(samples.length >= 5);
  for (const [name, text] of samples) {
    const lines = tokenise(grammar, text);
    assert.equal(lines.map((line) => line.map((token) => token.text).join("")).join("\n"), text, name);
    for (const [index, line] of lines.entries()) {
      for (const token of line.filter((token) => /\p{L}/u.test(token.text))) {
        assert.ok(token.scopes.length > 1, `${name}:${index + 1}: ${token.text} has no colour`);
      }
    }
  }
});

test("every word that the language knows is coloured as one at the start of a line", () => {
  const words = [...readFileSync(join(root, "grammar", "flow.pest"), "utf8").matchAll(/^k_(\w+) /gm)];
  assert.ok(words.length > 100);
  for (const [, word] of words) {
    assert.match(scope(`  ${word} `, word), /^keyword|^constant/, word);
  }
});

test("vscode-textmate reads the grammar as the stand-in does", async (t) => {
  let textmate, oniguruma;
  try {
    textmate = require("vscode-textmate");
    oniguruma = require("vscode-oniguruma");
  } catch {
    t.skip("vscode-textmate is not installed; npm install --prefix grammar/editors/test vscode-textmate vscode-oniguruma");
    return;
  }
  await oniguruma.loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer);
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (sources) => new oniguruma.OnigScanner(sources),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => textmate.parseRawGrammar(JSON.stringify(grammar), "flow.json"),
  });
  const read = await registry.loadGrammar("source.flow");
  for (const [name, text] of samples) {
    const ours = tokenise(grammar, text);
    let state = textmate.INITIAL;
    for (const [index, line] of text.split("\n").entries()) {
      const { tokens, ruleStack } = read.tokenizeLine(line, state);
      state = ruleStack;
      const last = (at) => tokens.findLast((token) => token.startIndex <= at).scopes.at(-1);
      let at = 0;
      for (const token of ours[index]) {
        if (/\S/.test(token.text)) {
          const start = at + token.text.length - token.text.trimStart().length;
          assert.equal(last(start), token.scopes.at(-1), `${name}:${index + 1}: ${token.text}`);
        }
        at += token.text.length;
      }
    }
  }
});

test("the manifest names files that are there, and the language of the grammar", () => {
  const manifest = json(join(extension, "package.json"));
  const { languages, grammars } = manifest.contributes;
  assert.ok(existsSync(join(extension, manifest.main)));
  assert.deepEqual(languages[0].extensions, [".flow"]);
  // Other tools have .strings files, too: ours name their language.
  assert.deepEqual([languages[1].extensions, languages[1].filenamePatterns], [undefined, ["*.*.strings"]]);
  for (const [at, read] of [grammar, translated].entries()) {
    assert.ok(existsSync(join(extension, languages[at].configuration)));
    assert.deepEqual(json(join(extension, grammars[at].path)), read);
    assert.deepEqual([grammars[at].language, grammars[at].scopeName], [languages[at].id, read.scopeName]);
  }
  assert.ok(manifest.engines.vscode && manifest.dependencies["vscode-languageclient"]);
  const rules = json(join(extension, "language-configuration.json")).indentationRules;
  const [more, less] = [new RegExp(rules.increaseIndentPattern), new RegExp(rules.decreaseIndentPattern)];
  assert.ok(more.test('  menu "x"') && more.test("step a") && !more.test("  if a is 1 -> b") && less.test("  end"));
});

test("the client starts the language server, says what to do if it can't, and stops it", async () => {
  const seen = { started: [], stopped: 0, said: [], commands: {} };
  let fails = false;
  class LanguageClient {
    constructor(id, name, server, client) {
      this.server = server;
      this.client = client;
    }
    async start() {
      if (fails) throw new Error("ENOENT");
      seen.started.push(this);
    }
    async stop() {
      seen.stopped++;
    }
  }
  const vscode = {
    workspace: {
      getConfiguration: () => ({ get: () => "/opt/switchboard" }),
      createFileSystemWatcher: (pattern) => pattern,
    },
    window: { showErrorMessage: (text) => seen.said.push(text) },
    commands: { registerCommand: (name, run) => (seen.commands[name] = run) },
  };
  const load = Module._load;
  Module._load = (name, ...rest) =>
    name === "vscode" ? vscode : name === "vscode-languageclient/node" ? { LanguageClient } : load(name, ...rest);
  try {
    const client = require(join(extension, "extension.js"));
    const context = { subscriptions: [] };
    await client.activate(context);
    assert.deepEqual(seen.started[0].server, { command: "/opt/switchboard", args: ["lsp"] });
    assert.deepEqual(seen.started[0].client.documentSelector, [{ language: "flow" }, { language: "flow-strings" }]);
    await seen.commands["switchboard.restart"]();
    assert.deepEqual([seen.started.length, seen.stopped], [2, 1]);
    fails = true;
    await seen.commands["switchboard.restart"]();
    assert.match(seen.said[0], /\/opt\/switchboard lsp.*ENOENT.*switchboard\.path/s);
    await client.deactivate();
    assert.equal(seen.stopped, 2);
  } finally {
    Module._load = load;
  }
});
