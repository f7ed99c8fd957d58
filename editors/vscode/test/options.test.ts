import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import * as names from "../src/names";
import { optionsFrom, PASSED_ON } from "../src/options";
import { summary } from "../src/summary";

const manifest = JSON.parse(readFileSync(join(process.cwd(), "package.json"), "utf8"));
const properties = manifest.contributes.configuration.properties as Record<string, { default: unknown }>;

test("every setting is handed to the server, or is the extension's own", () => {
  const own = ["server.command", "trace.server"];
  const declared = Object.keys(properties).map((name) => name.replace("iamPreflight.", ""));
  assert.deepEqual([...PASSED_ON, ...own].sort(), declared.sort());
});

test("what is not set is left to the server", () => {
  const given = new Map<string, unknown>([
    ["persona", "auditor"],
    ["select", []],
  ]);
  assert.deepEqual(optionsFrom((name) => given.get(name)), { isExtension: true, persona: "auditor", select: [] });
});

test("commands are declared, and are not those that the server registers", () => {
  const declared = manifest.contributes.commands.map((one: { command: string }) => one.command);
  for (const name of ["scanWorkspace", "showGraph", "restart", "showOutput"]) {
    assert.ok(declared.includes(`iamPreflight.${name}`), name);
  }
  for (const name of Object.values(names)) {
    assert.ok(!declared.includes(name));
  }
});

test("a workspace cannot choose the command that runs before it is trusted", () => {
  assert.ok(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations.includes("iamPreflight.server.command"));
});

test("the summary counts by severity, worst first", () => {
  assert.equal(summary({}), "IAM Preflight found nothing.");
  assert.equal(summary({ low: 2, critical: 1 }), "IAM Preflight: 3 findings (1 critical, 2 low).");
  assert.equal(summary({ high: 1 }), "IAM Preflight: 1 finding (1 high).");
});
