// Starts `switchboard lsp` for .flow files and their translations. Everything it knows is in that program; this only connects the two.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function start() {
  const command = vscode.workspace.getConfiguration("switchboard").get("path") || "switchboard";
  client = new LanguageClient(
    "switchboard",
    "Switchboard",
    { command, args: ["lsp"] },
    {
      documentSelector: [{ language: "flow" }, { language: "flow-strings" }],
      synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher("**/*.{flow,strings}") },
    },
  );
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    vscode.window.showErrorMessage(
      `Switchboard: "${command} lsp" could not be started (${error.message}). ` +
        "Install switchboard, or name its path in the setting switchboard.path.",
    );
  }
}

async function stop() {
  const stopped = client;
  client = undefined;
  if (stopped) await stopped.stop();
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("switchboard.restart", async () => {
      await stop();
      await start();
    }),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
