// graphql-http's audit of the server, as a client with a key: every one of its audits must pass.
import { auditServer } from "graphql-http";
import { authorization } from "../ask.mjs";

const authorized = (input, init = {}) => fetch(input, { ...init, headers: { ...init.headers, authorization } });
const results = await auditServer({ url: `${process.env.HOC_URL}/graphql`, fetchFn: authorized });
const failed = results.filter(({ status }) => status !== "ok");
for (const { id, name, status, reason } of failed) console.error(`${status} ${id} ${name}: ${reason}`);
const passed = (level) => results.filter(({ name, status }) => name.startsWith(level) && status === "ok").length;
console.log(["MUST", "SHOULD", "MAY"].map((level) => `${passed(level)} ${level}`).join(", "));
process.exitCode = failed.length || results.length < 61 ? 1 : 0;
