// Copies what the pages need from node_modules/ into webapp/static/vendor/, with the licences.
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "..", "node_modules");
const vendor = join(here, "static", "vendor");

const files = {
  "pico.min.css": "@picocss/pico/css/pico.min.css",
  "pico.LICENSE.md": "@picocss/pico/LICENSE.md",
  "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
  "swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
  "swagger-ui.LICENSE": "swagger-ui-dist/LICENSE",
};

mkdirSync(vendor, { recursive: true });
for (const [name, source] of Object.entries(files)) {
  copyFileSync(join(modules, source), join(vendor, name));
}
