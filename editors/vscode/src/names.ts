/** Names that the server and this extension share. */

export const SCAN_WORKSPACE = "iam-preflight.scanWorkspace";
export const SHOW_GRAPH = "iam-preflight.graph";
export const EXPLAIN_PRINCIPAL = "iam-preflight.explainPrincipal";
export const IGNORE = "iam-preflight.ignore";
/** The server asks for this one; it is a command of the extension. */
export const ASK_FOR_REASON = "iam-preflight.askForReason";
