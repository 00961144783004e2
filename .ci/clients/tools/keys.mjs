// Keys made and revoked beside the server, as its operator does.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);
const OF_THE_DEMO = ["--tenant", "demo", "--data-dir", process.env.HOC_DATA_DIR];

// A key that may only read.
export async function newKey() {
  const { stdout } = await execute(process.env.HOC_COMMAND, ["keys", "create", "--role", "VIEWER", ...OF_THE_DEMO]);
  return stdout.trim().split("\n").at(-1);
}

export async function revoke(key) {
  const id = key.split("_")[2];
  await execute(process.env.HOC_COMMAND, ["keys", "revoke", id, "--reason", "lost", ...OF_THE_DEMO]);
}
