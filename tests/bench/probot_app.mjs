// An app as Probot's documentation begins: one handler, which keeps nothing.
import { run } from "probot";

let seen = 0;

await run((app) => {
  app.on("issues.labeled", async () => {
    seen += 1;
  });
});
