// Opens a page, waits for its graph, takes steps, and prints what it saw as JSON.
// node browser.cjs CHROMIUM URL [step:selector:text]…
const { chromium } = require("playwright-core");

async function main() {
  const [executablePath, url, ...steps] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const seen = { errors: [], requests: [], results: [], ready: 0 };
  page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("request", (request) => request.url().split("#")[0] !== url && seen.requests.push(request.url()));
  const started = Date.now();
  await page.goto(url);
  await page.waitForSelector("#graph-canvas[data-ready=true]", { timeout: 60000 });
  seen.ready = Date.now() - started;
  for (const step of steps) {
    const [kind, selector, text] = step.split(/:(.*?)(?::([^:]*))?$/s);
    const found = selector ? page.locator(selector) : null;
    if (kind === "fill") await found.fill(text);
    else if (kind === "press") await found.press(text);
    else if (kind === "check") await found.check();
    else if (kind === "uncheck") await found.uncheck();
    else if (kind === "click") await found.first().click();
    else if (kind === "text") seen.results.push((await found.first().innerText()).trim());
    else if (kind === "visible") seen.results.push(await page.locator(selector + ":not(.hidden)").count());
    else if (kind === "hash") seen.results.push(new URL(page.url()).hash);
    else if (kind === "count") seen.results.push(await page.evaluate(() => window.iamPreflightGraph.count()));
    else if (kind === "owned") seen.results.push(await page.evaluate(() => Boolean(window.owned)));
    else if (kind === "node") {
      await page.waitForTimeout(100);
      const at = await page.evaluate((id) => window.iamPreflightGraph.place(id), selector);
      await page.locator("#graph-canvas").click({ position: at });
    } else if (kind === "shot") await page.screenshot({ path: selector });
    else throw new Error("unknown step " + step);
  }
  console.log(JSON.stringify(seen));
  await browser.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
