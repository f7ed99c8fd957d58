import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";

import { advice, candidates, type Command, judge, locate, type Outcome, runIn } from "../src/locate";

const MISSING: Outcome = { code: null, errors: "" };
const READY: Outcome = { code: 0, errors: "" };
const NO_PACKAGE: Outcome = { code: 1, errors: "/usr/bin/python3: No module named iam_preflight" };
const NO_SERVER: Outcome = { code: 2, errors: "Error: the language server is an extra" };

test("a configured command is the only one that is tried", () => {
  assert.deepEqual(candidates(["/opt/x/iam-preflight"], "/venv/python", "linux"), [["/opt/x/iam-preflight"]]);
});

test("the selected interpreter comes before the search path", () => {
  const found = candidates([], "/venv/bin/python", "linux");
  assert.deepEqual(found[0], ["/venv/bin/python", "-m", "iam_preflight"]);
  assert.deepEqual(found[1], ["iam-preflight"]);
  assert.equal(found[2]?.[0], "python3");
  assert.equal(candidates([], undefined, "win32")[1]?.[0], "python");
});

test("outcomes are told apart", () => {
  const command: Command = ["python3", "-m", "iam_preflight"];
  assert.equal(judge(command, READY), "ready");
  assert.equal(judge(command, MISSING), "no command");
  assert.equal(judge(command, NO_PACKAGE), "no package");
  assert.equal(judge(command, NO_SERVER), "no server");
});

test("the first command that works is taken, else the one that lacks least", async () => {
  const commands = candidates([], "/venv/bin/python", "linux");
  const answers = new Map([
    ["/venv/bin/python", NO_PACKAGE],
    ["iam-preflight", READY],
  ]);
  const asked: Command[] = [];
  const found = await locate(commands, async (command) => {
    asked.push(command);
    return answers.get(command[0]) ?? MISSING;
  });
  assert.deepEqual(found, { command: ["iam-preflight"], verdict: "ready" });
  assert.deepEqual(asked[0]?.slice(-2), ["lsp", "--check"]);
  answers.set("iam-preflight", NO_SERVER);
  assert.equal((await locate(commands, async (c) => answers.get(c[0]) ?? MISSING)).verdict, "no server");
});

test("advice names what is missing and has a button for it", () => {
  const noPython = advice({ command: ["python3", "-m", "iam_preflight"], verdict: "no command" }, "linux");
  assert.match(noPython.message, /needs Python 3\.10/);
  assert.match(noPython.page ?? "", /^https:\/\/www\.python\.org\//);
  const noPackage = advice({ command: ["/venv/bin/python", "-m", "iam_preflight"], verdict: "no package" }, "linux");
  assert.match(noPackage.message, /not installed/);
  assert.deepEqual(noPackage.install?.slice(0, 4), ["/venv/bin/python", "-m", "pip", "install"]);
  assert.equal(noPackage.install?.at(-1), "iam-preflight[lsp]");
  const noServer = advice({ command: ["iam-preflight"], verdict: "no server" }, "win32");
  assert.equal(noServer.install?.[0], "python");
});

test("real commands are run and their end is seen", async () => {
  const run = runIn(tmpdir());
  assert.equal((await run([process.execPath, "-e", "process.exit(0)"])).code, 0);
  const failed = await run([process.execPath, "-e", "console.error('why'); process.exit(2)"]);
  assert.equal(failed.code, 2);
  assert.match(failed.errors, /why/);
  assert.equal((await run(["/no/such/program"])).code, null);
});
