/** Finds a command that starts the server, and says what is missing where there is none. */

import { spawn } from "node:child_process";

export type Command = readonly [string, ...string[]];

export type Verdict = "ready" | "no command" | "no package" | "no server";

export interface Found {
  readonly command: Command;
  readonly verdict: Verdict;
}

/** What a command that is run to its end says. */
export interface Outcome {
  /** null where it could not be started at all. */
  readonly code: number | null;
  readonly errors: string;
}

export type Run = (command: Command) => Promise<Outcome>;

/** What may start the server, best first. */
export function candidates(
  configured: readonly string[],
  interpreter: string | undefined,
  platform: NodeJS.Platform,
): Command[] {
  const [first, ...rest] = configured;
  if (first !== undefined) {
    return [[first, ...rest]];
  }
  const python = platform === "win32" ? "python" : "python3";
  const found: Command[] = [];
  if (interpreter) {
    found.push([interpreter, "-m", "iam_preflight"]);
  }
  found.push(["iam-preflight"], [python, "-m", "iam_preflight"]);
  return found;
}

export function judge(command: Command, outcome: Outcome): Verdict {
  if (outcome.code === 0) {
    return "ready";
  }
  if (outcome.code === null) {
    return "no command";
  }
  if (/No module named '?iam_preflight/.test(outcome.errors)) {
    return "no package";
  }
  if (command.includes("-m") && /not found|No such file/i.test(outcome.errors)) {
    return "no command";
  }
  return "no server";
}

const WORTH: Record<Verdict, number> = { ready: 3, "no server": 2, "no package": 1, "no command": 0 };

/** The first command that works; else the one that lacks least. */
export async function locate(commands: readonly Command[], run: Run): Promise<Found> {
  let best: Found | undefined;
  for (const command of commands) {
    const verdict = judge(command, await run([...command, "lsp", "--check"]));
    if (verdict === "ready") {
      return { command, verdict };
    }
    if (best === undefined || WORTH[verdict] > WORTH[best.verdict]) {
      best = { command, verdict };
    }
  }
  if (best === undefined) {
    throw new Error("no command to try");
  }
  return best;
}

export const PACKAGE = "iam-preflight[lsp]";
export const PYTHON_PAGE = "https://www.python.org/downloads/";

export interface Advice {
  readonly message: string;
  readonly button: string;
  /** What the button runs in a terminal; nothing: it opens `page`. */
  readonly install?: Command;
  readonly page?: string;
}

/** What to tell, and what to offer, where the server cannot start. */
export function advice(found: Found, platform: NodeJS.Platform): Advice {
  const [program] = found.command;
  const isPython = found.command.includes("-m");
  if (found.verdict === "no command") {
    return {
      message: `IAM Preflight needs Python 3.10 or newer: ${program} was not found.`,
      button: "Get Python",
      page: PYTHON_PAGE,
    };
  }
  const python = isPython ? program : platform === "win32" ? "python" : "python3";
  const what =
    found.verdict === "no package"
      ? "the package is not installed"
      : "its language server is not installed, or is too old";
  return {
    message: `IAM Preflight: ${what} for ${program}.`,
    button: "Install",
    install: [python, "-m", "pip", "install", "--upgrade", PACKAGE],
  };
}

/** Runs a command to its end, in a folder that no repository controls. */
export function runIn(folder: string, timeout = 30_000): Run {
  return (command) =>
    new Promise((resolve) => {
      const [program, ...rest] = command;
      let errors = "";
      const signal = AbortSignal.timeout(timeout);
      const child = spawn(program, rest, { cwd: folder, signal, windowsHide: true });
      child.stderr.on("data", (data: Buffer) => {
        errors += data.toString();
      });
      child.on("error", () => resolve({ code: null, errors }));
      child.on("close", (code) => resolve({ code: code ?? 1, errors }));
    });
}
