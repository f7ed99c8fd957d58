import * as vscode from "vscode";
import { ExecuteCommandRequest, LanguageClient, type LanguageClientOptions } from "vscode-languageclient/node";

import { advice, candidates, type Found, locate, runIn } from "./locate";
import { ASK_FOR_REASON, EXPLAIN_PRINCIPAL, IGNORE, SCAN_WORKSPACE, SHOW_GRAPH } from "./names";
import { optionsFrom } from "./options";
import { summary } from "./summary";

const SECTION = "iamPreflight";
const PAGES = "iam-preflight";
const SELECTOR = [
  { scheme: "file", pattern: "**/*.{tf,tofu,tfvars,tf.json,tofu.json}" },
  { scheme: "file", pattern: "**/terragrunt.hcl" },
  { scheme: "file", pattern: "**/*.{yaml,yml,json,template}" },
];

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const extension = new Extension(context.extensionPath);
  context.subscriptions.push(extension);
  await extension.start();
}

class Extension implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private graph: vscode.WebviewPanel | undefined;
  private readonly output = vscode.window.createOutputChannel("IAM Preflight");
  private readonly pages = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly disposables: vscode.Disposable[] = [];

  /** `folder` is where commands run: `python -m` imports from there, so no repository may own it. */
  constructor(private readonly folder: string) {
    const command = (name: string, run: (...given: never[]) => unknown): void => {
      this.disposables.push(vscode.commands.registerCommand(name, run));
    };
    command("iamPreflight.scanWorkspace", () => this.scanWorkspace());
    command("iamPreflight.showGraph", () => this.showGraph());
    command("iamPreflight.restart", () => this.restart());
    command("iamPreflight.showOutput", () => this.output.show());
    command(ASK_FOR_REASON, (uri: string, rule: string, start: number) => this.askForReason(uri, rule, start));
    this.disposables.push(
      this.output,
      this.changed,
      vscode.workspace.registerTextDocumentContentProvider(PAGES, {
        onDidChange: this.changed.event,
        provideTextDocumentContent: (uri) => this.pages.get(uri.path) ?? "",
      }),
      vscode.workspace.onDidChangeConfiguration((event) => this.configured(event)),
    );
  }

  dispose(): void {
    void this.client?.stop();
    for (const one of this.disposables) {
      one.dispose();
    }
  }

  // ---- the server

  private get settings(): vscode.WorkspaceConfiguration {
    return vscode.workspace.getConfiguration(SECTION);
  }

  private options(): ReturnType<typeof optionsFrom> {
    return optionsFrom((name) => this.settings.get(name));
  }

  async start(): Promise<void> {
    const configured = this.settings.get<string[]>("server.command") ?? [];
    const commands = candidates(configured, await interpreter(), process.platform);
    const found = await locate(commands, runIn(this.folder));
    if (found.verdict !== "ready") {
      void this.offerToInstall(found);
      return;
    }
    const [program, ...rest] = found.command;
    const run = { command: program, args: [...rest, "lsp"], options: { cwd: this.folder } };
    const clientOptions: LanguageClientOptions = {
      documentSelector: SELECTOR,
      outputChannel: this.output,
      initializationOptions: this.options(),
      middleware: {
        executeCommand: async (command, given, next) => {
          const answer: unknown = await next(command, given);
          if (command === EXPLAIN_PRINCIPAL && typeof answer === "string") {
            await this.showPage(String(given[1]), answer);
          }
          return answer;
        },
      },
    };
    this.client = new LanguageClient(SECTION, "IAM Preflight", run, clientOptions);
    await this.client.start();
  }

  private async restart(): Promise<void> {
    await this.client?.stop();
    this.client = undefined;
    await this.start();
  }

  private async configured(event: vscode.ConfigurationChangeEvent): Promise<void> {
    if (event.affectsConfiguration(`${SECTION}.server`)) {
      await this.restart();
    } else if (event.affectsConfiguration(SECTION)) {
      const settings = { [SECTION]: this.options() };
      await this.client?.sendNotification("workspace/didChangeConfiguration", { settings });
    }
  }

  private async offerToInstall(found: Found): Promise<void> {
    const told = advice(found, process.platform);
    const choose = "Choose Command";
    const answer = await vscode.window.showErrorMessage(told.message, told.button, choose);
    if (answer === choose) {
      await vscode.commands.executeCommand("workbench.action.openSettings", `${SECTION}.server.command`);
    } else if (answer === told.button && told.page !== undefined) {
      await vscode.env.openExternal(vscode.Uri.parse(told.page));
    } else if (answer === told.button && told.install !== undefined) {
      const [program, ...rest] = told.install;
      const shell = new vscode.ProcessExecution(program, rest, { cwd: this.folder });
      const task = new vscode.Task({ type: "process" }, vscode.TaskScope.Workspace, "install", "IAM Preflight", shell);
      const ended = vscode.tasks.onDidEndTaskProcess(async (event) => {
        if (event.execution.task.name === task.name && event.execution.task.source === task.source) {
          ended.dispose();
          await this.start();
        }
      });
      await vscode.tasks.executeTask(task);
    }
  }

  private async ask<Answer>(command: string, ...given: unknown[]): Promise<Answer | undefined> {
    if (this.client === undefined) {
      await this.start();
    }
    return this.client?.sendRequest(ExecuteCommandRequest.type, { command, arguments: given });
  }

  // ---- what it answers

  private async scanWorkspace(): Promise<void> {
    const where = { location: vscode.ProgressLocation.Notification, title: "IAM Preflight: scanning the workspace" };
    const counts = await vscode.window.withProgress(where, () => this.ask<Record<string, number>>(SCAN_WORKSPACE));
    if (counts !== undefined) {
      void vscode.window.showInformationMessage(summary(counts));
      await vscode.commands.executeCommand("workbench.actions.view.problems");
    }
  }

  private async showGraph(): Promise<void> {
    const document = vscode.window.activeTextEditor?.document;
    const page = document === undefined ? undefined : await this.ask<string | null>(SHOW_GRAPH, document.uri.toString());
    if (!page) {
      void vscode.window.showInformationMessage("Open a Terraform file or a CloudFormation template first.");
      return;
    }
    if (this.graph === undefined) {
      const show = vscode.ViewColumn.Beside;
      this.graph = vscode.window.createWebviewPanel("iamPreflight.graph", "IAM graph", show, {
        enableScripts: true,
        localResourceRoots: [],
        retainContextWhenHidden: true,
      });
      this.graph.onDidDispose(() => {
        this.graph = undefined;
      });
    }
    // the page brings its own content security policy, which lets nothing in but itself
    this.graph.webview.html = page;
    this.graph.reveal(undefined, true);
  }

  private async showPage(title: string, markdown: string): Promise<void> {
    const uri = vscode.Uri.from({ scheme: PAGES, path: `/${title}.md` });
    this.pages.set(uri.path, markdown);
    this.changed.fire(uri);
    await vscode.commands.executeCommand("markdown.showPreviewToSide", uri);
  }

  private async askForReason(uri: string, rule: string, start: number): Promise<void> {
    const reason = await vscode.window.showInputBox({
      title: `Ignore ${rule} here`,
      prompt: "Why is it acceptable? Add until=2027-01-31 to be asked again.",
      validateInput: (text) => (text.trim() ? undefined : "An ignore without a reason does not count."),
    });
    if (reason !== undefined) {
      await this.ask<boolean>(IGNORE, uri, rule, start, reason);
    }
  }
}

/** The Python that is selected in VS Code, if its extension is there. */
async function interpreter(): Promise<string | undefined> {
  const python = vscode.extensions.getExtension("ms-python.python");
  if (python === undefined) {
    return undefined;
  }
  try {
    const api = (await python.activate()) as {
      environments?: { getActiveEnvironmentPath(): { path: string } };
    };
    return api.environments?.getActiveEnvironmentPath().path;
  } catch {
    return undefined;
  }
}
