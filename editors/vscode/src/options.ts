/** The extension's settings as the server takes them. */

export const PASSED_ON = [
  "persona",
  "select",
  "ignore",
  "variables",
  "variableFiles",
  "moduleMap",
  "parameters",
  "workspace",
  "rootsPerModule",
  "debounce",
  "codeLens",
] as const;

export type Options = Partial<Record<(typeof PASSED_ON)[number], unknown>> & {
  isExtension: true;
};

/** `get` reads one setting of the section; what is not set is left to the server. */
export function optionsFrom(get: (name: string) => unknown): Options {
  const options: Options = { isExtension: true };
  for (const name of PASSED_ON) {
    const value = get(name);
    if (value !== undefined && value !== null) {
      options[name] = value;
    }
  }
  return options;
}
