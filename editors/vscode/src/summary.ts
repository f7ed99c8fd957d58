/** What a scan of the workspace found, in one line. */

const ORDER = ["critical", "high", "medium", "low", "info"];

export function summary(counts: Record<string, number>): string {
  const told = ORDER.filter((name) => (counts[name] ?? 0) > 0).map((name) => `${counts[name]} ${name}`);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (total === 0) {
    return "IAM Preflight found nothing.";
  }
  return `IAM Preflight: ${total} finding${total === 1 ? "" : "s"} (${told.join(", ")}).`;
}
